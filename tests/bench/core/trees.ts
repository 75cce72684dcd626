import { randomFillSync } from "node:crypto";
import { closeSync, futimesSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "../yardsticks/tools.ts";

/** Files of one folder where nothing else is said. */
const IN_A_FOLDER = 1_000;

/** When all of them were written: long ago, so that they count as settled. */
const WRITTEN_AT = new Date("2026-01-02T03:04:05Z");

/**
 * Makes files that cannot be compressed, in folders `folder-0`, `folder-1`, …, and has them written to
 * the disk.
 * @param size bytes of each
 * @param inEach most files of one of these folders
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
