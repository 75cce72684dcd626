import { parseFlags } from "../../lib/util/flags.ts";
import { runProgram } from "../../lib/cli/program.ts";
import { stdout } from "../../lib/util/output.ts";

/*
 * `bun run check`: the one gate, and what CI runs. All steps run, so that one run shows all there
 * is to mend; the tests come last and hold the architecture rules.
 */

const HELP = `Checks format, lint, types, dependencies, architecture rules and tests.

Usage: bun run check`;

/** What each step runs, as arguments of Bun. */
const STEPS = {
  format: ["fmt", "--check", "--no-script"],
  lint: ["node_modules/oxlint/bin/oxlint", "--deny-warnings"],
  // Without the flag, `bun check` would run the script of that name: this one.
  types: ["check", "--no-script", "--build"],
  dependencies: ["tests/gate/check-dependencies.ts"],
};

/** Runs Bun. @returns whether it ended well */
async function succeeds(args: string[], signal: AbortSignal): Promise<boolean> {
  const child = Bun.spawn([process.execPath, ...args], {
    stdio: ["ignore", "inherit", "inherit"],
    signal,
  });
  const exitCode = await child.exited;
  signal.throwIfAborted();
  return exitCode === 0;
}

/** Writes a line before what the next step writes. */
function say(line: string, signal: AbortSignal): Promise<void> {
  return stdout.send(`${line}\n`, signal);
}

/** @returns the exit code. The last line is that of the tests, which come last */
async function main(signal: AbortSignal): Promise<number> {
  if (parseFlags(process.argv.slice(2), {}).values["help"]) {
    stdout.write(`${HELP}\n`);
    return 0;
  }
  let exitCode = 0;
  for (const [name, args] of Object.entries(STEPS)) {
    await say(`\n== ${name}`, signal);
    if (await succeeds(args, signal)) continue;
    await say(`== ${name}: FAILED`, signal);
    exitCode = 1;
  }
  await say("\n== architecture rules and tests", signal);
  return (await succeeds(["run", "test"], signal)) ? exitCode : 1;
}

if (import.meta.main) await runProgram(main);
