import { FFIType } from "bun:ffi";
import fs, { type BigIntStats, constants } from "node:fs";
import { openLibc } from "./libc.ts";

/*
 * Opens files by name inside an open folder (openat), and reads their metadata (statx). Both are calls of the
 * C library: Bun has no openat, and its lstat allocates twenty BigInts for each file.
 */

/** Metadata of a file or folder, as stat(2) gives it. */
export interface FileInfo {
  type: "file" | "folder" | "other";
  /** Size in bytes; exact up to 2^53. */
  size: number;
  /** Blocks of 512 bytes on the disk; 0 for files that the kernel generates on reading, as in /proc. */
  blocks: number;
  /** Number of hard links to the file. */
  links: number;
  /** Device number, and then the inode number in two halves of 32 bits. */
  device: number;
  inodeHigh: number;
  inodeLow: number;
  /** Last change of the file's bytes: whole s since 1970, and the remaining ns. */
  mtimeS: number;
  mtimeNs: number;
  /** Last change of the file's bytes or metadata: whole s since 1970, and the remaining ns. */
  ctimeS: number;
  ctimeNs: number;
}

const { i32, u32, ptr } = FFIType;
const libc = openLibc({
  openat: { args: [i32, ptr, i32], returns: i32 },
  statx: { args: [i32, ptr, i32, u32, ptr], returns: i32 },
});

/** Flags of openat(2) and statx(2) on Linux, for which Bun has no constants. */
const O_CLOEXEC = 0o2000000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;

/** Buffer for the name that is passed to openat or statx, as a C string. Names have at most 255 bytes. */
const nameBuffer = Buffer.alloc(1024);
/** Buffer that statx(2) fills with a struct statx, seen as signed and as unsigned numbers. */
const statBuffer = new Int32Array(64);
const unsignedStatBuffer = new Uint32Array(statBuffer.buffer);

/**
 * Opens a file by its name in an open folder, as openat(2) does. Linux only.
 * @param folder descriptor of the folder
 * @param flags flags as for open(2), such as O_RDONLY
 * @returns the file's descriptor
 * @throws an error of the system, such as ENOENT
 */
export function openAt(folder: number, name: string, flags: number): number {
  const fd = libc && writeName(name) ? libc.openat(folder, nameBuffer, flags | O_CLOEXEC) : -1;
  // openat called by bun:ffi gives no error code. Bun's open fails with the same error and throws it with the
  // code.
  return fd >= 0 ? fd : fs.openSync(`/proc/self/fd/${folder}/${name}`, flags);
}

/**
 * Returns the metadata of a name in an open folder. A symbolic link is not followed. Linux only.
 * @param folder descriptor of the folder
 * @throws an error of the system, such as ENOENT
 */
export function infoAt(folder: number, name: string): FileInfo {
  const hasStat = libc && writeName(name) && callStatx(folder, AT_SYMLINK_NOFOLLOW);
  if (hasStat) return readStat();
  return infoFrom(fs.lstatSync(`/proc/self/fd/${folder}/${name}`, { bigint: true }));
}

/** Returns the metadata of an open file or folder. @throws an error of the system */
export function infoOf(fd: number): FileInfo {
  if (libc && writeName("") && callStatx(fd, AT_EMPTY_PATH)) return readStat();
  return infoFrom(fs.fstatSync(fd, { bigint: true }));
}

/** Converts the result of Bun's own stat calls. */
export function infoFrom(info: BigIntStats): FileInfo {
  const [mtime, ctime] = [timeOf(info.mtimeNs), timeOf(info.ctimeNs)];
  const inode = BigInt.asUintN(64, info.ino);
  return {
    type: typeOf(Number(info.mode)),
    size: Number(info.size),
    blocks: Number(info.blocks),
    links: Number(info.nlink),
    device: Number(BigInt.asUintN(64, info.dev)),
    inodeHigh: Number(inode >> 32n),
    inodeLow: Number(inode & 0xffff_ffffn),
    mtimeS: mtime.s,
    mtimeNs: mtime.ns,
    ctimeS: ctime.s,
    ctimeNs: ctime.ns,
  };
}

/** Reports whether two readings of metadata show the same file, unchanged in between. */
export function isUntouched(before: FileInfo, now: FileInfo): boolean {
  return (
    before.size === now.size &&
    before.mtimeNs === now.mtimeNs &&
    before.mtimeS === now.mtimeS &&
    before.ctimeNs === now.ctimeNs &&
    before.ctimeS === now.ctimeS &&
    before.inodeLow === now.inodeLow &&
    before.inodeHigh === now.inodeHigh &&
    before.device === now.device
  );
}

/** Formats a time as ns since 1970 in decimal digits, wrapped to a signed 64-bit integer. */
export function nanosecondsOf(s: number, ns: number): string {
  // Times from 1970 to 2255 are built as text. Other times need BigInts, which are slower.
  if (s > 0 && s < 9e9) return `${s}${String(ns).padStart(9, "0")}`;
  return String(BigInt.asIntN(64, BigInt(s) * 1_000_000_000n + BigInt(ns)));
}

function timeOf(nanoseconds: bigint): { s: number; ns: number } {
  const ns = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { s: Number((nanoseconds - ns) / 1_000_000_000n), ns: Number(ns) };
}

function typeOf(mode: number): FileInfo["type"] {
  const type = mode & constants.S_IFMT;
  if (type === constants.S_IFREG) return "file";
  return type === constants.S_IFDIR ? "folder" : "other";
}

/** Writes a name to the buffer for openat and statx. @returns false if it is too long or contains a NUL */
function writeName(name: string): boolean {
  const length = nameBuffer.write(name);
  nameBuffer[length] = 0;
  return length < nameBuffer.length - 4 && !name.includes("\0");
}

function callStatx(fd: number, flags: number): boolean {
  return libc?.statx(fd, nameBuffer, flags, STATX_BASIC_STATS, statBuffer) === 0;
}

function readStat(): FileInfo {
  return {
    type: typeOf(u32At(28) & 0xffff),
    size: u64At(40),
    blocks: u64At(48),
    links: u32At(16),
    device: u32At(136) * 2 ** 32 + u32At(140),
    inodeHigh: u32At(36),
    inodeLow: u32At(32),
    mtimeS: i64At(112),
    mtimeNs: u32At(120),
    ctimeS: i64At(96),
    ctimeNs: u32At(104),
  };
}

/**
 * Reads a number from struct statx, which is little-endian on all of Bun's platforms. @param offset in bytes
 */
function u32At(offset: number): number {
  return unsignedStatBuffer[offset / 4] ?? 0;
}

function u64At(offset: number): number {
  return u32At(offset + 4) * 2 ** 32 + u32At(offset);
}

function i64At(offset: number): number {
  return (statBuffer[offset / 4 + 1] ?? 0) * 2 ** 32 + u32At(offset);
}
