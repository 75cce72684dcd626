import { existsSync, readFileSync } from "node:fs";
import { spawn } from "./spawn.ts";

/** Numbers of Linux's capabilities: to trace other users' processes, and to mount. */
const CAP_SYS_PTRACE = 19n;
const CAP_SYS_ADMIN = 21n;

/** Why no disks can be mounted here, to stand behind the name of a test; `""` where they can. */
export const lacksMounts = lacking(CAP_SYS_ADMIN, {});

/** Why no disks can be made in files, for a test's name; empty where they can. */
export const lacksLoopDisks = existsSync("/dev/loop-control")
  ? lacking(CAP_SYS_ADMIN, { e2fsprogs: "mkfs.ext4" })
  : " (needs loop devices)";

/** Why no system calls can be traced, in the same way. */
export const lacksStrace = lacking(CAP_SYS_PTRACE, { strace: "strace" });

/** Why no clocks can be moved, in the same way. */
export const lacksFaketime = lacking(0n, { faketime: "faketime" });

/** Runs a command to its end; true if it went well. */
export async function run(command: string, ...flags: string[]): Promise<boolean> {
  const child = spawn([command, ...flags], { stdio: ["ignore", "ignore", "ignore"] });
  return (await child.exited) === 0;
}

/** @param packages Debian's names of what is needed, with the command that shows that it is there */
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
