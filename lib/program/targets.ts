/**
 * The kinds of machines to build for. The key is the name that is part of the program's file name. The value
 * is Bun's name for the kind of machine.
 */
export const TARGETS = {
  "linux-x64": "bun-linux-x64",
  "linux-x64-musl": "bun-linux-x64-musl",
  "linux-arm64": "bun-linux-arm64",
  "linux-arm64-musl": "bun-linux-arm64-musl",
  "darwin-arm64": "bun-darwin-arm64",
  "darwin-x64": "bun-darwin-x64",
  "windows-x64": "bun-windows-x64",
} as const satisfies Record<string, Bun.Build.CompileTarget>;

export type Target = keyof typeof TARGETS;

export const TARGET_NAMES = Object.keys(TARGETS) as Target[];

/** Returns the file name of the program for a target. */
export function programFile(target: Target): string {
  return `fds-${target}${target.startsWith("windows-") ? ".exe" : ""}`;
}
