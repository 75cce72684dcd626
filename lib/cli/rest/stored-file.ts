import { type ChecksumAlgorithm, digestOf } from "../../api/checksums.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import type { SetFileRecord } from "../../api/sets.ts";

/** A file stored on the server, with the fields needed to fetch and verify it. */
export interface StoredFile {
  downloadId: string;
  /** The path at the site, by which the server finds a file of a set. Undefined for a single file. */
  path?: string;
  /** The size of the file in bytes. */
  size: number;
  checksum: ChecksumAlgorithm;
  /** The checksum of the file, in lower-case hex. */
  digest: string;
  /** Modification time for the saved file, in ISO 8601. Undefined means the time of saving. */
  modifiedAt?: string;
}

/** Returns how to fetch and verify the file of a completed download. */
export function storedFileOf(record: DownloadRecord): StoredFile {
  const { download_id: downloadId, total_size, checksum } = record;
  return { downloadId, size: total_size ?? 0, checksum, digest: digestOf(record) ?? "" };
}

/**
 * Returns how to fetch and verify a file of a completed set; null where the server does not have the file.
 */
export function storedFileIn(
  { download_id: downloadId, checksum }: DownloadRecord,
  file: SetFileRecord,
): StoredFile | null {
  const { path, size, status, modified_at: modifiedAt } = file;
  const digest = file[checksum];
  if (status === "skipped" || digest === null) return null;
  return { downloadId, path, size, checksum, digest, modifiedAt };
}
