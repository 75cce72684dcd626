import type { Program } from "./programs.ts";
import { spawnSync } from "./spawn.ts";

/** Suffix for the names of tests that are skipped because resource limits cannot be set; `""` if they can. */
export const lacksLimits =
  Bun.which("prlimit") === null ? " (needs prlimit: apt-get install util-linux)" : "";

/**
 * Sets a resource limit of a running program, as `ulimit` does at a start.
 * @param limit `nofile`: the number of descriptors; `fsize`: the size of each file, in bytes
 */
export function setLimit({ pid }: Program, limit: "nofile" | "fsize", most: number): void {
  const command = ["prlimit", "--pid", String(pid), `--${limit}=${most}:`];
  const { success, stderr } = spawnSync(command);
  if (!success) throw new Error(`prlimit failed: ${stderr.toString()}`);
}
