import type { Program } from "./programs.ts";
import { spawnSync } from "./spawn.ts";

/** Why no limits can be set here, to stand behind the name of a test; `""` where they can. */
export const lacksLimits =
  Bun.which("prlimit") === null ? " (needs prlimit: apt-get install util-linux)" : "";

/**
 * Sets a limit of a program that runs, as `ulimit` does it before.
 * @param limit how many descriptors it may have, or how many bytes a file of its may
 */
export function setLimit({ pid }: Program, limit: "nofile" | "fsize", most: number): void {
  const command = ["prlimit", "--pid", String(pid), `--${limit}=${most}:`];
  const { success, stderr } = spawnSync(command);
  if (!success) throw new Error(`prlimit failed: ${stderr.toString()}`);
}
