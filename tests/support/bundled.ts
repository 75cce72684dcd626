/**
 * Name of an environment variable: a JSON object that maps a program's source to its bundle. `bun run test`
 * sets it (`gate/bundles.ts`).
 */
export const BUNDLES = "TEST_BUNDLES";

const bundles: Readonly<Record<string, string>> = JSON.parse(process.env[BUNDLES] ?? "{}");

/**
 * Replaces a program's source in a command by its bundle, if there is one, because a start from hundreds of
 * source files is slow. With `BUN_OPTIONS` the source stays, because a bundle does not share modules with a
 * preloaded file.
 */
export function bundled(
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): string[] {
  const isMapped = env["BUN_OPTIONS"] === undefined;
  return command.map((word) => (isMapped && bundles[word]) || word);
}
