import { constants } from "node:fs";
import { copyFile, link, open, readFile, writeFile } from "node:fs/promises";
import { systemCode } from "../../util/system-error.ts";
import { unlinkIfThere } from "./file-names.ts";

/** Copies a file, sharing its blocks where the disk can, and flushes the copy. */
export async function copyDurably(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  const copy = await open(to, "r+");
  try {
    await copy.datasync();
  } finally {
    await copy.close();
  }
}

/** A random mark stored in a file, which is made if it does not exist. All who ask get the same mark. */
export async function markOf(path: string): Promise<string> {
  const own = `${path}.${Bun.randomUUIDv7()}`;
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  await writeFile(own, Bun.randomUUIDv7(), { mode: 0o600 });
  try {
    // If several processes make it at the same time, one wins, and its file is complete.
    await link(own, path);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  } finally {
    await unlinkIfThere(own);
  }
  return readFile(path, "utf8");
}
