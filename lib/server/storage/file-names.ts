import type { Stats } from "node:fs";
import { link, lstat, rename, unlink } from "node:fs/promises";
import { systemCode } from "../../util/system-error.ts";

/** Errors of file systems without hard links, or without modes. */
const UNSUPPORTED = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

/**
 * Gives a file its final name, and never replaces what has it.
 * @param part path of the file. It keeps this name too where the file system has hard links.
 * @returns false if something other than the file itself has the name
 */
export async function takeName(part: string, final: string): Promise<boolean> {
  try {
    await link(part, final);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return isSameFile(part, final);
    unlessUnsupported(error);
  }
  // No hard links (FAT, some network shares): check, then rename. Nothing can come in between: a row
  // reserves the name for one download before it is taken, and the folder is locked.
  if (await statIfThere(final)) return !(await statIfThere(part));
  await rename(part, final);
  return true;
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = [await statIfThere(a), await statIfThere(b)];
  return one !== null && other !== null && one.ino === other.ino && one.dev === other.dev;
}

/** Rethrows an error, unless it means that the file system lacks the feature. */
export function unlessUnsupported(error: unknown): void {
  if (!UNSUPPORTED.has(systemCode(error) ?? "")) throw error;
}

/** @returns null where nothing has that name */
export async function statIfThere(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return null;
    throw error;
  }
}

/** Renames a file or folder. It may be gone, as another server that does the same came first. */
export async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

/** Removes a file. Bun's rm() is not used, as it turns every error into EFAULT. */
export async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}
