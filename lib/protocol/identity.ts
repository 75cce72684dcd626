import * as z from "zod";

const nanoseconds = z.string().regex(/^-?\d{1,20}$/);

/**
 * What tells one state of an open file from another. Times are nanoseconds since 1970 and, like
 * inode and device, decimal strings: they do not fit a JSON number. `ctime_ns` is there because a
 * writer can set the mtime back, but not the ctime.
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
 * Whether a file's first `before.size` bytes may be taken as what they were, without reading them
 * again: nothing changed, or the file only grew, as a log does. A file that grew and was also
 * changed further in front cannot be told from one that only grew.
 */
export function stillTheSame(before: FileIdentity, now: FileIdentity): boolean {
  if (!isSameFile(before, now)) return false;
  if (now.size > before.size) return true;
  return (
    now.size === before.size && now.mtime_ns === before.mtime_ns && now.ctime_ns === before.ctime_ns
  );
}

/**
 * Whether a file's first `before.size` bytes may still be what they were, which reading them again
 * tells: it is the same file and no shorter. Times change without the bytes when a file gets another
 * name or a hard link, and a network share may tell other times of a file that nobody touched.
 */
export function mayBeTheSame(before: FileIdentity, now: FileIdentity): boolean {
  return isSameFile(before, now) && now.size >= before.size;
}

function isSameFile(before: FileIdentity, now: FileIdentity): boolean {
  return before.inode === now.inode && before.device === now.device;
}
