import { parseFlags } from "../../lib/util/flags.ts";
import { runProgram } from "../../lib/cli/program.ts";
import { stdout } from "../../lib/util/output.ts";

/*
 * `bun run check`: everything that a change has to pass, also in CI. All steps run even if one fails, so that
 * one run shows all problems. The tests, which include the architecture rules, come last.
 */

const HELP = `Checks format, lint, types, dependencies, architecture rules and tests.

Usage: bun run check`;

/** The steps before the tests, as arguments for `bun`. */
const STEPS = {
  format: ["fmt", "--check", "--no-script"],
  lint: ["node_modules/oxlint/bin/oxlint", "--deny-warnings"],
  // Without --no-script, `bun check` would run the script "check" of package.json, which is this program.
  types: ["check", "--no-script", "--build"],
  dependencies: ["tests/gate/check-dependencies.ts"],
};

/** Runs `bun` with arguments. @returns whether it ended with exit code 0 */
async function succeeds(args: string[], signal: AbortSignal): Promise<boolean> {
  const child = Bun.spawn([process.execPath, ...args], {
    stdio: ["ignore", "inherit", "inherit"],
    signal,
  });
  const exitCode = await child.exited;
  signal.throwIfAborted();
  return exitCode === 0;
}

/** Writes a line and waits until it is written, so that it comes before the output of the next step. */
function say(line: string, signal: AbortSignal): Promise<void> {
  return stdout.send(`${line}\n`, signal);
}

/** Runs all steps, then the tests. @returns the exit code: 0 if all succeeded */
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
