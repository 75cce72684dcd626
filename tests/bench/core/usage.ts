import { readFile, writeFile } from "node:fs/promises";

/** Ticks per second, the unit of CPU times in /proc. The number is the same on every Linux. */
const TICKS = 100;

/** CPU time and memory of a process. */
export interface Usage {
  cpuSeconds: number;
  /** Resident memory now, in bytes. */
  memory: number;
  /** Highest resident memory since the start or the last {@link forgetPeak}, in bytes. */
  peakMemory: number;
}

/** Reads the CPU time and memory of a running process from /proc. */
export async function usageOf(pid: number): Promise<Usage> {
  const [stat, status] = await Promise.all([
    readFile(`/proc/${pid}/stat`, "utf8"),
    readFile(`/proc/${pid}/status`, "utf8"),
  ]);
  // The program's name is in brackets and may contain spaces. The fields after it begin with the third field
  // of proc(5).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const kibibytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS,
    memory: kibibytes("VmRSS") * 1024,
    peakMemory: kibibytes("VmHWM") * 1024,
  };
}

/** Resets the peak memory of a process to its present memory. */
export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, "5");
}
