import type { Stats } from "node:fs";
import { link, lstat, rename, unlink } from "node:fs/promises";
import { systemCode } from "../../util/system-error.ts";

/** How file systems say that they have no hard links, or no modes. */
const UNSUPPORTED = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

/**
 * Gives a file its final name, without ever replacing what has it.
 * @param part where the file lies; its name there stays where the file system has hard links
 * @returns false if the name is taken by something else than the file itself
 */
export async function takeName(part: string, final: string): Promise<boolean> {
  try {
    await link(part, final);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return isSameFile(part, final);
    unlessUnsupported(error);
  }
  // No hard links (FAT, some network shares): look, then rename. Nothing comes between the two,
  // for a name is recorded as one download's own before it is taken, and the folder is locked.
  if (await statIfThere(final)) return !(await statIfThere(part));
  await rename(part, final);
  return true;
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = [await statIfThere(a), await statIfThere(b)];
  return one !== null && other !== null && one.ino === other.ino && one.dev === other.dev;
}

/** Throws the error again, unless it says that the file system has no such thing. */
export function unlessUnsupported(error: unknown): void {
  if (!UNSUPPORTED.has(systemCode(error) ?? "")) throw error;
}

/** @returns null if nothing has that name */
export async function statIfThere(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return null;
    throw error;
  }
}

/** Not rm(): that tells any error of unlink as EFAULT. */
export async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}
