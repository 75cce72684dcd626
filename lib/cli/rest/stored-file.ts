import { type ChecksumAlgorithm, digestOf } from "../../api/checksums.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import type { SetFileRecord } from "../../api/sets.ts";

/** A file that the server keeps, as it is fetched from there and proven. */
export interface StoredFile {
  downloadId: string;
  /** The path at the site of a file of a set. The server knows the file by it. */
  path?: string;
  /** Bytes. */
  size: number;
  checksum: ChecksumAlgorithm;
  /** Lower-case hex. */
  digest: string;
  /** ISO 8601; what is saved gets it, or the time of its saving where it is not given. */
  modifiedAt?: string;
}

/** The file of a completed download. */
export function storedFileOf(record: DownloadRecord): StoredFile {
  const { download_id: downloadId, total_size, checksum } = record;
  return { downloadId, size: total_size ?? 0, checksum, digest: digestOf(record) ?? "" };
}

/** One file of a completed set; null for one that the server does not have. */
export function storedFileIn(
  { download_id: downloadId, checksum }: DownloadRecord,
  file: SetFileRecord,
): StoredFile | null {
  const { path, size, status, modified_at: modifiedAt } = file;
  const digest = file[checksum];
  if (status === "skipped" || digest === null) return null;
  return { downloadId, path, size, checksum, digest, modifiedAt };
}
