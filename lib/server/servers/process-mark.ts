import { readFileSync, readlinkSync } from "node:fs";

/**
 * A mark that no other process of this machine has until its next boot; process ids alone are used again.
 * @returns null where the system does not tell, or there is no such process
 */
export function markOfProcess(pid: number): string | null {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    // Process ids are relative to a container's namespace.
    const space = readlinkSync("/proc/self/ns/pid");
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // After the name, which may contain spaces. The state is the 3rd field, the start time the 22nd.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? null : `${boot} ${space} ${pid} ${fields[19]}`;
  } catch {
    return null;
  }
}

/**
 * Whether a process has certainly ended: it was one of this machine, and no longer exists.
 * @param mark from {@link markOfProcess}
 */
export function hasProcessEnded(mark: string | null): boolean {
  const own = markOfProcess(process.pid);
  if (mark === null || own === null) return false;
  const [boot, space, pid] = mark.split(" ");
  const [ownBoot, ownSpace] = own.split(" ");
  if (boot !== ownBoot || space !== ownSpace) return false;
  return markOfProcess(Number(pid)) !== mark;
}
