import { parseFlags } from "../util/flags.ts";
import { Failure, runProgram } from "./program.ts";

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
  dependencies: ["lib/cli/check-dependencies.ts"],
  "architecture rules and tests": ["run", "test"],
};

await runProgram(async (signal) => {
  if (parseFlags(process.argv.slice(2), {}).values["help"]) return console.log(HELP);
  const failed: string[] = [];
  for (const [name, args] of Object.entries(STEPS)) {
    console.log(`\n== ${name}`);
    const child = Bun.spawn([process.execPath, ...args], {
      stdio: ["ignore", "inherit", "inherit"],
      signal,
    });
    if ((await child.exited) !== 0) failed.push(`"${name}"`);
    signal.throwIfAborted();
  }
  if (failed.length > 0) throw new Failure(`failed: ${failed.join(", ")}`);
});
