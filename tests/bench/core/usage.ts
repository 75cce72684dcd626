import { readFile, writeFile } from "node:fs/promises";

/** The unit of times in /proc, a second; it is the same on every Linux. */
const TICKS = 100;

/** What a process has used. */
export interface Usage {
  cpuSeconds: number;
  /** Bytes in memory now. */
  memory: number;
  /** The most there ever were, or since {@link forgetPeak}. */
  peakMemory: number;
}

/** @param pid of a process that runs */
export async function usageOf(pid: number): Promise<Usage> {
  const [stat, status] = await Promise.all([
    readFile(`/proc/${pid}/stat`, "utf8"),
    readFile(`/proc/${pid}/status`, "utf8"),
  ]);
  // The name before it is in brackets, and may hold anything: the first field here is the third.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const kibibytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS,
    memory: kibibytes("VmRSS") * 1024,
    peakMemory: kibibytes("VmHWM") * 1024,
  };
}

/** The peak of a process's memory counts from now on. */
export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, "5");
}
