import { readFile } from "node:fs/promises";

/** Ticks per second, the unit of processor times in /proc (sysconf(_SC_CLK_TCK), 100 on every Linux). */
const TICKS = 100;

/**
 * Returns the processor time of some processes, of this process and of its ended children, in s.
 * @param pids children of this process; one that has ended meanwhile counts as an ended child
 */
export async function processorTime(pids: number[]): Promise<number> {
  const [own, ...others] = await Promise.all(["self", ...pids].map(timesOf));
  const ticks = [...(own ?? []), ...others.flatMap((times) => times.slice(0, 2))];
  return ticks.reduce((sum, time) => sum + time, 0) / TICKS;
}

/** Reads from /proc the user and kernel time of a process, then those of its ended children, in ticks. */
async function timesOf(pid: number | string): Promise<number[]> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The program's name is in brackets and may contain spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).map(Number);
}
