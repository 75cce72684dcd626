import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Program } from "./programs.ts";

/** The resources that a process holds at one moment. */
export interface Footprint {
  /** Paths of open files, without sockets and pipes. */
  files: string[];
  /** The number of open descriptors of any kind. */
  descriptors: number;
  /** Resident memory, in bytes. */
  memory: number;
}

/** Whether the system has /proc, which lists the descriptors and the memory of a process. */
export const HAS_PROC = process.platform === "linux";

/** Reads the open files and the memory of a process from /proc. @throws Error if the process does not run */
export async function footprintOf({ pid }: Pick<Program, "pid">): Promise<Footprint> {
  const folder = `/proc/${pid}/fd`;
  const links = await Promise.all(
    (await readdir(folder)).map((name) =>
      // The descriptor may have been closed since it was listed.
      readlink(join(folder, name)).catch(() => null),
    ),
  );
  const open = links.filter((target) => target !== null);
  return {
    files: open.filter((target) => target.startsWith("/")).toSorted(),
    descriptors: open.length,
    memory: await memoryOf(pid),
  };
}

async function memoryOf(pid: number): Promise<number> {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1024;
}
