import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Program } from "./programs.ts";

/** What a process holds at a moment. */
export interface Footprint {
  /** Paths of open files; sockets, pipes and the like are not among them. */
  files: string[];
  /** How many descriptors are open, of whatever kind. */
  descriptors: number;
  /** Resident bytes. */
  memory: number;
}

/** Whether the system tells what a process holds. */
export const HAS_PROC = process.platform === "linux";

/** @throws Error when the process does not run */
export async function footprintOf({ pid }: Pick<Program, "pid">): Promise<Footprint> {
  const folder = `/proc/${pid}/fd`;
  const links = await Promise.all(
    (await readdir(folder)).map((name) =>
      // It may be closed by now.
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
