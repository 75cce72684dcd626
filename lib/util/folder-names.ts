import { FFIType, ptr } from "bun:ffi";
import fs, { type Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { eventLoopBudget } from "./event-loop-budget.ts";
import { openLibc } from "./libc.ts";

/** Size of the buffer for directory entries, in bytes: some hundred names are read by one call. */
const BUFFER_BYTES = 32 * 1024;

/** An entry of a folder: a name, and the type if known. */
export interface FolderName {
  /** The name as text. Bytes that are not valid UTF-8 are replaced by U+FFFD. */
  name: string;
  /**
   * The type of the entry. `other` is a symbolic link, a device, a FIFO or a socket. `unknown` means that the
   * file system does not tell types.
   */
  type: "file" | "folder" | "other" | "unknown";
}

const libc = openLibc({
  getdents64: { args: [FFIType.i32, FFIType.ptr, FFIType.u64], returns: FFIType.i64 },
});

/** Values of `d_type` in getdents64(2). All values that are not listed here count as `other`. */
const TYPES: Record<number, FolderName["type"]> = { 0: "unknown", 4: "folder", 8: "file" };

/**
 * Reads the names in a folder, unsorted and in batches, as a folder may have millions of names. Without
 * getdents64(2), which only Linux has, all names come in one batch, as Bun 1.4.5 can read only all at once.
 * @param path path of the folder, or of a symbolic link to the folder
 * @throws an error of the system, such as ENOENT
 */
export async function* namesIn(path: string): AsyncGenerator<FolderName[]> {
  if (libc === null) return yield (await readdir(path, { withFileTypes: true })).map(nameOf);
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    const buffer = Buffer.alloc(BUFFER_BYTES);
    for (;;) {
      const length = Number(libc.getdents64(fd, ptr(buffer), buffer.length));
      if (length === 0) return;
      // getdents64 called by bun:ffi gives no error code. readdir() fails with the same error and throws it.
      if (length < 0) return yield (await readdir(path, { withFileTypes: true })).map(nameOf);
      yield await eventLoopBudget.run(() => namesOf(buffer.subarray(0, length)));
    }
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Parses the entries of getdents64(2). Each has an inode, an offset, the entry's length, a type, and a name
 * that ends with a zero byte.
 */
function namesOf(entries: Buffer): FolderName[] {
  const names: FolderName[] = [];
  for (let at = 0; at < entries.length;) {
    const length = entries.readUInt16LE(at + 16);
    const from = at + 19;
    const name = entries.toString("utf8", from, entries.indexOf(0, from));
    if (name !== "." && name !== "..") {
      names.push({ name, type: TYPES[entries.readUInt8(at + 18)] ?? "other" });
    }
    at += length;
  }
  return names;
}

function nameOf(entry: Dirent): FolderName {
  const { name } = entry;
  if (entry.isFile()) return { name, type: "file" };
  if (entry.isDirectory()) return { name, type: "folder" };
  const isKnown =
    entry.isSymbolicLink() ||
    entry.isFIFO() ||
    entry.isSocket() ||
    entry.isCharacterDevice() ||
    entry.isBlockDevice();
  return { name, type: isKnown ? "other" : "unknown" };
}
