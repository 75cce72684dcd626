import { constants } from "node:fs";
import { copyFile, link, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder, writeNewFile } from "../../util/durable.ts";
import { systemCode } from "../../util/system-error.ts";
import { unlinkIfThere } from "./file-names.ts";

/** Copies a file and flushes the copy. File systems that can share blocks between files do so. */
export async function copyDurably(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  const copy = await open(to, "r+");
  try {
    await copy.datasync();
  } finally {
    await copy.close();
  }
}

/**
 * Returns the mark that a file contains, a random id. If the file does not exist, it is created with a new
 * mark. Every process gets the same mark, even after a power cut.
 */
export async function readOrCreateMark(path: string): Promise<string> {
  const mark = await readMark(path).catch(async (error: unknown) => {
    if (systemCode(error) !== "ENOENT") throw error;
    await makeMark(path);
    return readMark(path);
  });
  // The name is flushed even if the file already existed, because the process that created the file may have
  // crashed before the flush.
  await syncFolder(dirname(path));
  return mark;
}

const readMark = (path: string): Promise<string> => readFile(path, "utf8");

async function makeMark(path: string): Promise<void> {
  const temporary = `${path}.${Bun.randomUUIDv7()}`;
  await writeNewFile(temporary, Bun.randomUUIDv7(), 0o600);
  try {
    // The link makes a complete file appear under the mark's name. If several processes create the mark at
    // the same time, only one link succeeds.
    await link(temporary, path);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  } finally {
    await unlinkIfThere(temporary);
  }
}
