import type { Stats } from "node:fs";
import { link, lstat, rename, unlink } from "node:fs/promises";
import { systemCode } from "../../util/system-error.ts";

/** Error codes of file systems that do not support hard links or file modes. */
const UNSUPPORTED = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

/**
 * Gives a file its final name without ever replacing another file.
 * @param part path of the file. On file systems with hard links, the file keeps this name too
 * @returns false if the final name is taken by another file
 */
export async function takeName(part: string, final: string): Promise<boolean> {
  try {
    await link(part, final);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return isSameFile(part, final);
    rethrowUnlessUnsupported(error);
  }
  // Without hard links (FAT, some network shares), the name is checked before the rename. Nothing can take
  // the name in between, because a row reserves it for one download, and only servers that use the same rows
  // write to the folder.
  if (await statIfThere(final)) return !(await statIfThere(part));
  await rename(part, final);
  return true;
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = [await statIfThere(a), await statIfThere(b)];
  return one !== null && other !== null && one.ino === other.ino && one.dev === other.dev;
}

/** Rethrows an error, unless it means that the file system does not support the operation. */
export function rethrowUnlessUnsupported(error: unknown): void {
  if (!UNSUPPORTED.has(systemCode(error) ?? "")) throw error;
}

/**
 * Reads the metadata of a file or folder.
 * @returns null if nothing has that name
 */
export async function statIfThere(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return null;
    throw error;
  }
}

/**
 * Renames a file or folder. It is no error if the file is gone: another server may have done the same rename.
 */
export async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

/** Removes a file, if it exists. Bun's rm() is not used, because it turns every error into EFAULT. */
export async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}
