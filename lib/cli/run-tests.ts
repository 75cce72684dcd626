import { parseFlags } from "../util/flags.ts";
import { Failure, runProgram } from "./program.ts";

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
  skipped: number;
  /** Names of the skipped tests. */
  notRun: string[];
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
  // A long run names them a second time, at its end.
  const names = lines.flatMap((line) => /^\(skip\) (.+)$/.exec(line)?.[1] ?? []);
  return {
    passed: count("pass"),
    failed: count("fail") || Number(exitCode !== 0),
    skipped: count("skip"),
    notRun: [...new Set(names)],
  };
}

/** The last line of a run, for people and for CI. */
export function closingLine({ passed, failed, skipped }: Summary): string {
  const line = `${passed} passed, ${failed} failed`;
  return skipped > 0 ? `${line}, ${skipped} skipped` : line;
}

/** Runs `bun test`, shows what it says, and gives that back too. */
async function runBunTest(files: string[], signal: AbortSignal): Promise<Summary> {
  // --no-orphans: a program that a test left behind would hold the pipe open for good.
  const args = ["test", "--no-orphans", `--timeout=${TIMEOUT_MS}`, ...files];
  const child = Bun.spawn([process.execPath, ...args], {
    stdio: ["ignore", "inherit", "pipe"],
    signal,
    env: { ...process.env, ...(process.stderr.isTTY && { FORCE_COLOR: "1" }) },
  });
  const decoder = new TextDecoder();
  let output = "";
  for await (const bytes of child.stderr) {
    process.stderr.write(bytes);
    output += decoder.decode(bytes, { stream: true });
  }
  const exitCode = await child.exited;
  signal.throwIfAborted();
  return summarize(output, exitCode);
}

async function main(signal: AbortSignal): Promise<void> {
  const { values, positionals } = parseFlags(process.argv.slice(2), {}, Infinity);
  if (values["help"]) return console.log(HELP);
  const summary = await runBunTest(positionals, signal);
  if (summary.skipped > 0) console.log(["\nNot run here:", ...summary.notRun].join("\n  "));
  console.log(`\n${closingLine(summary)}`);
  if (summary.failed > 0) throw new Failure("not all tests passed");
}

if (import.meta.main) await runProgram(main);
