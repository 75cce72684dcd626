import * as z from "zod";

const nanoseconds = z.string().regex(/^-?\d{1,20}$/);

/**
 * Attributes that tell one state of a file from another. Times are ns since 1970. Times, inode and device are
 * decimal strings, because they do not fit a JSON number. `ctime_ns` is included because programs can reset
 * the mtime, but not the ctime.
 */
export const FileIdentity = z.object({
  size: z.int().min(0),
  mtime_ns: nanoseconds,
  ctime_ns: nanoseconds,
  inode: z.string().regex(/^\d{1,20}$/),
  device: z.string().regex(/^\d{1,20}$/),
});

export type FileIdentity = z.infer<typeof FileIdentity>;

/**
 * Reports whether a file's first `before.size` bytes can be assumed unchanged without reading them: nothing
 * changed, or the file only grew, as a log does. If a file grew and its earlier bytes were overwritten too,
 * this is not detected.
 */
export function isUnchanged(before: FileIdentity, now: FileIdentity): boolean {
  if (!isSameFile(before, now)) return false;
  if (now.size > before.size) return true;
  return (
    now.size === before.size && now.mtime_ns === before.mtime_ns && now.ctime_ns === before.ctime_ns
  );
}

/**
 * Reports whether it is worth reading a file's first `before.size` bytes again to find out if they are
 * unchanged: the file has the same inode and device, and is not shorter. Times are not compared, because they
 * can change while the bytes stay the same: when a file is renamed or gets a hard link, or on a network share
 * with unreliable times.
 */
export function mayBeUnchanged(before: FileIdentity, now: FileIdentity): boolean {
  return isSameFile(before, now) && now.size >= before.size;
}

function isSameFile(before: FileIdentity, now: FileIdentity): boolean {
  return before.inode === now.inode && before.device === now.device;
}
