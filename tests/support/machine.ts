import { existsSync, readFileSync } from "node:fs";
import { spawn } from "./spawn.ts";

/** Numbers of Linux capabilities: tracing processes of other users, and mounting. */
const CAP_SYS_PTRACE = 19n;
const CAP_SYS_ADMIN = 21n;

/**
 * Suffix for the names of tests that are skipped because file systems cannot be mounted; `""` if they can.
 */
export const lacksMounts = lacking(CAP_SYS_ADMIN, {});

/** Suffix for the names of tests that are skipped because disk images cannot be mounted; `""` if they can. */
export const lacksLoopDisks = existsSync("/dev/loop-control")
  ? lacking(CAP_SYS_ADMIN, { e2fsprogs: "mkfs.ext4" })
  : " (needs loop devices)";

/** Suffix for the names of tests that are skipped because strace cannot run; `""` if it can. */
export const lacksStrace = lacking(CAP_SYS_PTRACE, { strace: "strace" });

/** Suffix for the names of tests that are skipped because faketime is not installed; `""` if it is. */
export const lacksFaketime = lacking(0n, { faketime: "faketime" });

/** Runs a command and waits until it exits. Returns whether the exit code is 0. */
export async function run(command: string, ...flags: string[]): Promise<boolean> {
  const child = spawn([command, ...flags], { stdio: ["ignore", "ignore", "ignore"] });
  return (await child.exited) === 0;
}

/**
 * Returns a test name's suffix that says what is missing; `""` if nothing is.
 * @param packages names of Debian packages, each with a command that the package installs
 */
function lacking(capability: bigint, packages: Record<string, string>): string {
  if (!isCapable(capability)) return " (needs root on Linux, and no container around it)";
  const missing = Object.keys(packages).filter((name) => Bun.which(packages[name]!) === null);
  return missing.length === 0 ? "" : ` (needs ${missing}: apt-get install ${missing.join(" ")})`;
}

function isCapable(capability: bigint): boolean {
  if (process.platform !== "linux") return false;
  const [, effective = "0"] =
    /^CapEff:\t(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return ((BigInt(`0x${effective}`) >> capability) & 1n) === 1n;
}
