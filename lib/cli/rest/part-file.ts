import { constants } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { systemCode } from "../../util/system-error.ts";

/** Flags of open(2). Flags that Windows lacks are 0 there. */
const { O_APPEND, O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;

/** Flags of open(2) to append to a file. A symbolic link is refused, and opening a FIFO does not block. */
const OPEN_FLAGS = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK;

/** Errors of open(2) where the path is a link, a FIFO or another user's file. */
const OCCUPIED_CODES = new Set(["ELOOP", "EMLINK", "ENXIO", "EACCES"]);

/** The number of hexadecimal digits in the name of a part: 128 bits of a hash. */
const NAME_DIGITS = 32;

/**
 * Returns the path of a part, the unfinished file beside the final path. The name of the part is short,
 * however long the final name is, and is the same in each run.
 * @param digest checksum of the complete file
 */
export function partPath(path: string, digest: string): string {
  const hash = new Bun.CryptoHasher("sha256").update(`${basename(path)}\n${digest}`).digest("hex");
  return join(dirname(path), `.fds-${hash.slice(0, NAME_DIGITS)}.part`);
}

/**
 * Opens a part to append to it. Anything else at the path, such as a link to another file, is removed and
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
    if (!OCCUPIED_CODES.has(systemCode(error) ?? "")) throw error;
  }
  await unlink(path);
  return open(path, OPEN_FLAGS | O_EXCL);
}
