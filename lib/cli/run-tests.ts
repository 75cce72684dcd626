import { parseFlags, UsageError } from "../util/flags.ts";

/*
 * `bun run test [FILE…]`: every test that this machine can run. A test that needs more than Bun
 * (a tool, a browser, root) is skipped where that is missing, and its name says how to get it:
 * the names are listed at the end, so that nobody takes "skipped" for "works".
 */

const HELP = `Runs the tests and says what could not be run here.

Usage: bun run test [FILE…]
  FILE  only test files whose path holds this text`;

/** Tests that start programs and move many bytes are slow on a small machine. */
const TIMEOUT_MS = 60_000;

export interface Summary {
  passed: number;
  failed: number;
  /** Names of the tests that were not run. */
  skipped: string[];
}

/**
 * What `bun test` says of a run.
 * @param output its standard error
 * @param exitCode a run that failed without a count, as a crash does, counts as one failure
 */
export function summarize(output: string, exitCode: number): Summary {
  const lines = Bun.stripANSI(output).split(/\r?\n/);
  const count = (word: string) => {
    const line = lines.findLast((text) => new RegExp(`^ *\\d+ ${word}$`).test(text));
    return Number.parseInt(line ?? "0", 10);
  };
  const skipped = lines.flatMap((line) => /^\(skip\) (.+)$/.exec(line)?.[1] ?? []);
  return { passed: count("pass"), failed: count("fail") || Number(exitCode !== 0), skipped };
}

/** The last line of a run, for people and for CI. */
export function closingLine({ passed, failed, skipped }: Summary): string {
  const line = `${passed} passed, ${failed} failed`;
  return skipped.length > 0 ? `${line}, ${skipped.length} skipped` : line;
}

/** Runs `bun test`, shows what it says, and gives that back too. */
async function runBunTest(files: string[]): Promise<Summary> {
  // --no-orphans: a program that a test left behind would hold the pipe open for good.
  const args = ["test", "--no-orphans", `--timeout=${TIMEOUT_MS}`, ...files];
  const child = Bun.spawn([process.execPath, ...args], {
    stdio: ["ignore", "inherit", "pipe"],
    env: { ...process.env, ...(process.stderr.isTTY && { FORCE_COLOR: "1" }) },
  });
  const decoder = new TextDecoder();
  let output = "";
  for await (const bytes of child.stderr) {
    process.stderr.write(bytes);
    output += decoder.decode(bytes, { stream: true });
  }
  return summarize(output, await child.exited);
}

async function main(argv: string[]): Promise<number> {
  const { values, positionals } = parseFlags(argv, {}, Infinity);
  if (values["help"]) {
    console.log(HELP);
    return 0;
  }
  const summary = await runBunTest(positionals);
  if (summary.skipped.length > 0) {
    console.log("\nNot run here:");
    for (const name of summary.skipped) console.log(`  ${name}`);
  }
  console.log(`\n${closingLine(summary)}`);
  return summary.failed > 0 ? 1 : 0;
}

if (import.meta.main) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
