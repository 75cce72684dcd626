import { readFileSync, readlinkSync } from "node:fs";

/**
 * What a process of this machine is known by, for as long as the machine runs; its number alone is given
 * to others later.
 * @returns null where the system does not tell, or no such process is there
 */
export function markOfProcess(pid: number): string | null {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    // Numbers of processes are those of a container.
    const space = readlinkSync("/proc/self/ns/pid");
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Behind the name, which may have spaces: the state is the 3rd field, the start the 22nd.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? null : `${boot} ${space} ${pid} ${fields[19]}`;
  } catch {
    return null;
  }
}

/**
 * Whether it is sure that a process has ended: it was one of this machine, and is there no more.
 * @param mark as of {@link markOfProcess}
 */
export function hasProcessEnded(mark: string | null): boolean {
  const own = markOfProcess(process.pid);
  if (mark === null || own === null) return false;
  const [boot, space, pid] = mark.split(" ");
  const [ownBoot, ownSpace] = own.split(" ");
  if (boot !== ownBoot || space !== ownSpace) return false;
  return markOfProcess(Number(pid)) !== mark;
}
