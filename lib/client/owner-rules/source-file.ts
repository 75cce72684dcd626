import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { FileIdentity } from "../../protocol/identity.ts";
import { Refusal } from "./refusal.ts";

/** A file that may leave this site, opened for reading. */
export interface SourceFile {
  fd: number;
  /** The present state of the open file, whoever has its name by now. */
  identity(): Promise<FileIdentity>;
  /** False once it was deleted or replaced, and no hard link is left. */
  hasName(): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * Makes a source of an open file: it must be a regular one that ends at its size.
 * @throws Refusal for any other file
 */
export async function sourceFileOf(handle: FileHandle): Promise<SourceFile> {
  const info = await handle.stat({ bigint: true });
  if (!info.isFile()) throw new Refusal("not_regular");
  identityOf(info);
  if (!(await endsWhereItSays(handle, info))) throw new Refusal("size_unknown");
  return {
    fd: handle.fd,
    identity: async () => identityOf(await handle.stat({ bigint: true })),
    hasName: async () => (await handle.stat()).nlink > 0,
    close: () => handle.close(),
  };
}

/**
 * Whether a file ends at the size that it states. Files that the system generates when they are read do
 * not: those of /proc say 0, those of /sys say 4096.
 */
async function endsWhereItSays(handle: FileHandle, { size }: BigIntStats): Promise<boolean> {
  const last = Math.max(0, Number(size) - 1);
  // Tries to read one byte beyond the end. A read error is reported later, by whoever reads the whole file.
  const reading = await handle.read(Buffer.alloc(2), 0, 2, last).catch(() => null);
  if (!reading || last + reading.bytesRead === Number(size)) return true;
  // Somebody is writing to the file.
  return (await handle.stat({ bigint: true })).size !== size;
}

/**
 * The identity of a file's present state.
 * @throws Refusal when its size does not fit a number of the protocol
 */
export function identityOf(info: BigIntStats): FileIdentity {
  if (info.size > BigInt(Number.MAX_SAFE_INTEGER)) throw new Refusal("too_large");
  return {
    size: Number(info.size),
    // Some file systems store years whose nanoseconds do not fit 64 bits.
    mtime_ns: String(BigInt.asIntN(64, info.mtimeNs)),
    ctime_ns: String(BigInt.asIntN(64, info.ctimeNs)),
    // Unsigned 64 bits, which the runtime reads as signed.
    inode: String(BigInt.asUintN(64, info.ino)),
    device: String(BigInt.asUintN(64, info.dev)),
  };
}
