/**
 * In the environment of tests: a JSON object of the programs that were bundled for them, by the paths
 * of their sources. `bun run test` makes them (`gate/bundles.ts`).
 */
export const BUNDLES = "TEST_BUNDLES";

const bundles: Readonly<Record<string, string>> = JSON.parse(process.env[BUNDLES] ?? "{}");

/**
 * The command that starts the bundle of a program in place of its source, where there is one: to read
 * hundreds of files takes most of the time of a start. Where the runtime is told to load something before
 * it (`BUN_OPTIONS`), the source is started: a bundle has modules of its own.
 */
export function bundled(
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): string[] {
  const isMapped = env["BUN_OPTIONS"] === undefined;
  return command.map((word) => (isMapped && bundles[word]) || word);
}
