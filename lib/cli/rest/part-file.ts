import { constants } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { systemCode } from "../../util/system-error.ts";

/** Flags of `open`; those that Windows does not know are 0 there. */
const { O_APPEND, O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;

/** Follows no link, and does not wait for the reader of a FIFO. */
const OPEN_FLAGS = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK;

/** Errors of an open where something else has the name: a link, a FIFO, or another user's file. */
const TAKEN = new Set(["ELOOP", "EMLINK", "ENXIO", "EACCES"]);

/** Hexadecimal digits of a part's name: 128 bits. */
const NAME_DIGITS = 32;

/**
 * The path of an unfinished file, beside its final path. Its name is short whatever the final one is, and
 * the same in each run for the same file.
 * @param digest of the file
 */
export function partPath(path: string, digest: string): string {
  const hash = new Bun.CryptoHasher("sha256").update(`${basename(path)}\n${digest}`).digest("hex");
  return join(dirname(path), `.fds-${hash.slice(0, NAME_DIGITS)}.part`);
}

/**
 * Opens a part to append to it. Anything else at its path, such as a link to another file, is removed and
 * never written to.
 */
export async function openPart(path: string): Promise<FileHandle> {
  try {
    const handle = await open(path, OPEN_FLAGS);
    const found = await handle.stat();
    const isOurs = process.platform === "win32" || found.uid === process.getuid?.();
    if (isOurs && found.nlink === 1 && found.isFile()) return handle;
    await handle.close();
  } catch (error) {
    if (!TAKEN.has(systemCode(error) ?? "")) throw error;
  }
  await unlink(path);
  return open(path, OPEN_FLAGS | O_EXCL);
}
