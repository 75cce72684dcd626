import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { FileIdentity } from "../../protocol/identity.ts";
import { Refusal } from "./refusal.ts";

/** A file that may leave this site, open for reading. */
export interface SourceFile {
  fd: number;
  /** Returns the present attributes of the open file, even if another file has its name by now. */
  identity(): Promise<FileIdentity>;
  /**
   * Reports whether the open file still has a name. False once it was deleted or replaced, and no hard link
   * is left.
   */
  hasName(): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * Makes a SourceFile of an open file. The file must be a regular file that ends at its stated size.
 * @throws Refusal for any other file
 */
export async function sourceFileOf(handle: FileHandle): Promise<SourceFile> {
  const info = await handle.stat({ bigint: true });
  if (!info.isFile()) throw new Refusal("not_regular");
  identityOf(info);
  if (!(await endsAtStatedSize(handle, info))) throw new Refusal("size_unknown");
  return {
    fd: handle.fd,
    identity: async () => identityOf(await handle.stat({ bigint: true })),
    hasName: async () => (await handle.stat()).nlink > 0,
    close: () => handle.close(),
  };
}

/**
 * Reports whether a file ends at the size in its attributes. Files in /proc state a size of 0, and files in
 * /sys a size of 4096, whatever they contain.
 */
async function endsAtStatedSize(handle: FileHandle, { size }: BigIntStats): Promise<boolean> {
  const last = Math.max(0, Number(size) - 1);
  // Tries to read one byte beyond the end. A read error is reported later, when the whole file is read.
  const reading = await handle.read(Buffer.alloc(2), 0, 2, last).catch(() => null);
  if (!reading || last + reading.bytesRead === Number(size)) return true;
  // If the size has changed meanwhile, a program is writing to the file, so it is an ordinary file.
  return (await handle.stat({ bigint: true })).size !== size;
}

/**
 * Returns the attributes that identify a state of a file.
 * @throws Refusal if the file is larger than the protocol can state
 */
export function identityOf(info: BigIntStats): FileIdentity {
  if (info.size > BigInt(Number.MAX_SAFE_INTEGER)) throw new Refusal("too_large");
  return {
    size: Number(info.size),
    // Truncated to 64 bits, because some file systems store years whose nanoseconds need more.
    mtime_ns: String(BigInt.asIntN(64, info.mtimeNs)),
    ctime_ns: String(BigInt.asIntN(64, info.ctimeNs)),
    // These numbers are unsigned 64-bit integers, which the runtime reads as signed ones.
    inode: String(BigInt.asUintN(64, info.ino)),
    device: String(BigInt.asUintN(64, info.dev)),
  };
}
