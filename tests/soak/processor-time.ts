import { readFile } from "node:fs/promises";

/** Ticks a second, in which /proc counts processor time (sysconf(_SC_CLK_TCK), 100 on every Linux). */
const TICKS = 100;

/**
 * Processor time of some processes, of this one and of its children that have ended, in seconds.
 * @param pids what has ended meanwhile counts as a child of ours
 */
export async function processorTime(pids: number[]): Promise<number> {
  const [own, ...others] = await Promise.all(["self", ...pids].map(timesOf));
  const ticks = [...(own ?? []), ...others.flatMap((times) => times.slice(0, 2))];
  return ticks.reduce((sum, time) => sum + time, 0) / TICKS;
}

/** Ticks as a user and in the kernel, then the same of its children that have ended. */
async function timesOf(pid: number | string): Promise<number[]> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The program's name, in brackets, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).map(Number);
}
