import { type ChecksumAlgorithm, digestOf } from "../../api/checksums.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import type { SetFileRecord } from "../../api/sets.ts";

/** A file stored on the server, with what is needed to fetch and verify it. */
export interface StoredFile {
  downloadId: string;
  /** For a file of a set: its path at the site, by which the server knows it. */
  path?: string;
  /** In bytes. */
  size: number;
  checksum: ChecksumAlgorithm;
  /** Lower-case hex. */
  digest: string;
  /** ISO 8601. The saved file gets this time, or else the time of saving. */
  modifiedAt?: string;
}

/** The file of a completed download. */
export function storedFileOf(record: DownloadRecord): StoredFile {
  const { download_id: downloadId, total_size, checksum } = record;
  return { downloadId, size: total_size ?? 0, checksum, digest: digestOf(record) ?? "" };
}

/** A file of a completed set; null where the server does not have it. */
export function storedFileIn(
  { download_id: downloadId, checksum }: DownloadRecord,
  file: SetFileRecord,
): StoredFile | null {
  const { path, size, status, modified_at: modifiedAt } = file;
  const digest = file[checksum];
  if (status === "skipped" || digest === null) return null;
  return { downloadId, path, size, checksum, digest, modifiedAt };
}
