import { parseFlags, UsageError } from "../util/flags.ts";

/*
 * `bun run check`: the one gate, and what CI runs. All steps run, so that one run shows all there
 * is to mend; the tests come last and hold the architecture rules.
 */

const HELP = `Checks format, lint, types, architecture rules and tests.

Usage: bun run check`;

/** What each step runs, as arguments of Bun. */
const STEPS = {
  format: ["fmt", "--check", "--no-script"],
  lint: ["node_modules/oxlint/bin/oxlint", "--deny-warnings"],
  // Without the flag, `bun check` would run the script of that name: this one.
  types: ["check", "--no-script"],
  "architecture rules and tests": ["run", "test"],
};

async function main(argv: string[]): Promise<number> {
  if (parseFlags(argv, {}).values["help"]) {
    console.log(HELP);
    return 0;
  }
  const failed: string[] = [];
  for (const [name, args] of Object.entries(STEPS)) {
    console.log(`\n== ${name}`);
    const child = Bun.spawn([process.execPath, ...args], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    if ((await child.exited) !== 0) failed.push(name);
  }
  for (const name of failed) console.error(`the step "${name}" failed`);
  return failed.length > 0 ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
