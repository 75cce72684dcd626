import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { FileIdentity } from "../../protocol/identity.ts";
import { Refusal } from "./refusal.ts";

/** A file that may leave this site, open for reading. */
export interface SourceFile {
  fd: number;
  /** What the open file is now, whoever has its name by then. */
  identity(): Promise<FileIdentity>;
  /** False once it was deleted, or another file took its name, and no hard link is left. */
  hasName(): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * An open file as one that can be sent: a regular one whose size says where it ends.
 * @throws Refusal for what is no such file
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
 * Files that the system makes up when they are read have no size of their own: those of /proc say 0,
 * those of /sys say 4096.
 */
async function endsWhereItSays(handle: FileHandle, { size }: BigIntStats): Promise<boolean> {
  const last = Math.max(0, Number(size) - 1);
  // One byte more than there should be. What cannot be read is told by who reads it all.
  const reading = await handle.read(Buffer.alloc(2), 0, 2, last).catch(() => null);
  if (!reading || last + reading.bytesRead === Number(size)) return true;
  // A file that is written to meanwhile.
  return (await handle.stat({ bigint: true })).size !== size;
}

/** What tells one state of a file from another. @throws Refusal when it has more bytes than a number of the protocol can say */
export function identityOf(info: BigIntStats): FileIdentity {
  if (info.size > BigInt(Number.MAX_SAFE_INTEGER)) throw new Refusal("too_large");
  return {
    size: Number(info.size),
    // Some file systems keep years of which the nanoseconds do not fit 64 bits.
    mtime_ns: String(BigInt.asIntN(64, info.mtimeNs)),
    ctime_ns: String(BigInt.asIntN(64, info.ctimeNs)),
    // 64 bits without a sign, which the runtime reads as if they had one.
    inode: String(BigInt.asUintN(64, info.ino)),
    device: String(BigInt.asUintN(64, info.dev)),
  };
}
