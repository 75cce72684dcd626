import { randomFillSync } from "node:crypto";
import { closeSync, futimesSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "../yardsticks/tools.ts";

/** Default number of files in a folder. */
const IN_A_FOLDER = 1_000;

/**
 * Modification time of the files. It is long ago, so that a set does not leave them out as recently changed.
 */
const WRITTEN_AT = new Date("2026-01-02T03:04:05Z");

/**
 * Writes files with random bytes to folders `folder-0`, `folder-1`, …, and flushes them to the disk.
 * @param size size of each file, in bytes
 * @param inEach maximum number of files in a folder
 */
export async function writeTree(
  folder: string,
  count: number,
  size: number,
  inEach = IN_A_FOLDER,
): Promise<void> {
  const bytes = Buffer.alloc(size);
  for (let n = 0; n < count; n++) {
    const within = join(folder, `folder-${Math.floor(n / inEach)}`);
    if (n % inEach === 0) mkdirSync(within, { recursive: true });
    const file = openSync(join(within, `file-${n}.bin`), "w");
    writeSync(file, randomFillSync(bytes));
    futimesSync(file, WRITTEN_AT, WRITTEN_AT);
    closeSync(file);
  }
  await runTool("sync", ["-f", folder]);
}
