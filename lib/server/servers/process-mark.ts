import { readFileSync, readlinkSync } from "node:fs";

/**
 * Returns a mark that identifies a process. Process ids are reused, so the mark also names the boot of the
 * machine and the start time of the process.
 * @returns null if the system does not provide the mark, or the process does not exist
 */
export function markOfProcess(pid: number): string | null {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    // The namespace is part of the mark, because each container may number its processes by itself.
    const namespace = readlinkSync("/proc/self/ns/pid");
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The fields of `/proc/PID/stat` from the 3rd on. The 2nd, the name in parentheses, may contain spaces.
    // The 3rd is the state, the 22nd the start time.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? null : `${boot} ${namespace} ${pid} ${fields[19]}`;
  } catch {
    return null;
  }
}

/**
 * Reports whether a process has certainly ended: it ran on this machine, and no longer exists.
 * @param mark from {@link markOfProcess}; null: not known
 */
export function hasProcessEnded(mark: string | null): boolean {
  const ownMark = markOfProcess(process.pid);
  if (mark === null || ownMark === null) return false;
  const [boot, namespace, pid] = mark.split(" ");
  const [ownBoot, ownNamespace] = ownMark.split(" ");
  if (boot !== ownBoot || namespace !== ownNamespace) return false;
  return markOfProcess(Number(pid)) !== mark;
}
