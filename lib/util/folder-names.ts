import { FFIType, ptr } from "bun:ffi";
import fs, { type Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { eventLoopBudget } from "./event-loop-budget.ts";
import { openLibc } from "./libc.ts";

/** Bytes of directory entries that are read at a time: some hundred names. */
const STEP_BYTES = 32 * 1024;

/** A name in a folder. */
export interface FolderName {
  /** Has U+FFFD where it is not valid UTF-8. */
  name: string;
  /** What it is, where the file system says so; `other`: a link, a device, a FIFO or a socket. */
  type: "file" | "folder" | "other" | "unknown";
}

const libc = openLibc({
  getdents64: { args: [FFIType.i32, FFIType.ptr, FFIType.u64], returns: FFIType.i64 },
});

/** Types of names, as getdents64(2) has them. */
const TYPES: Record<number, FolderName["type"]> = { 0: "unknown", 4: "folder", 8: "file" };

/**
 * Reads the names in a folder piece by piece and unsorted, as a folder may have millions. On systems
 * without getdents64(2) all names come at once: readdir() and opendir() of Bun 1.4.5 read them so.
 * @param path of the folder, or of a link to it
 * @throws an error of the system
 */
export async function* namesIn(path: string): AsyncGenerator<FolderName[]> {
  if (libc === null) return yield (await readdir(path, { withFileTypes: true })).map(nameOf);
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    const buffer = Buffer.alloc(STEP_BYTES);
    for (;;) {
      const length = Number(libc.getdents64(fd, ptr(buffer), buffer.length));
      if (length === 0) return;
      // The call does not tell its error; readdir() meets the same one and throws it.
      if (length < 0) return yield (await readdir(path, { withFileTypes: true })).map(nameOf);
      yield await eventLoopBudget.run(() => namesOf(buffer.subarray(0, length)));
    }
  } finally {
    fs.closeSync(fd);
  }
}

/** Reads what getdents64(2) gave: inode, offset, length of the entry, type, name and a 0. */
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
