import { stat } from "node:fs/promises";
import { normalize } from "node:path/posix";
import { type ChecksumAlgorithm, digestOf } from "../../api/checksums.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { systemCode } from "../../util/system-error.ts";
import { digestsOfFile } from "../checksums.ts";

/**
 * The result of verifying a file:
 * - `altered`: the file differs from its record.
 * - `not_original`: the file matches its record, but differs from `checksums.txt`.
 * - `not_as_listed`: a set's checksum file differs from the server's list of the set's files.
 * - `missing`: a record exists, but no file.
 * - `removed`: the file is missing because the server, or a user with the guide, removed it.
 * - `unknown`: a file exists, but no record.
 */
export type Verdict =
  | "ok"
  | "altered"
  | "not_original"
  | "not_as_listed"
  | "missing"
  | "removed"
  | "unknown"
  | "unreadable";

/**
 * One result of the verification, for a file in the folder of downloads, a missing file, or all correct files
 * of a set together.
 */
export interface CheckedFile {
  /** Path relative to the folder of downloads, with forward slashes. */
  path: string;
  verdict: Verdict;
  download_id: string | null;
  /**
   * The number of a set's files that share this verdict. The digests below are then those of the set's
   * checksum file. Undefined for a single file.
   */
  files?: number;
  /** MD5 of the bytes on the disk, in lower-case hex; null where it was not computed. */
  md5: string | null;
  /** MD5 in the record of the download; null where the record has none. */
  recorded_md5: string | null;
  /** MD5 of the original, from `checksums.txt`; null where it is unknown. */
  original_md5: string | null;
  /** SHA-256 of the bytes on the disk, in lower-case hex; null where it was not computed. */
  sha256: string | null;
  /** SHA-256 in the record of the download; null where the record has none. */
  recorded_sha256: string | null;
}

/**
 * The fields of a completed download that verification needs. The other fields are dropped to save memory, as
 * there may be very many records.
 */
export type PublishedDownload = Pick<
  DownloadRecord,
  "download_id" | "client_id" | "kind" | "file_path" | "checksum" | "md5" | "sha256"
> & {
  saved_path: string;
  /** Whether the record says that the content was removed. The file may still exist. */
  isRemoved: boolean;
};

/** The digest that a published file must have, with further facts from its record. */
export interface Expected {
  downloadId: string;
  checksum: ChecksumAlgorithm;
  /** The expected checksum in lower-case hex; null where the record has none. */
  digest: string | null;
  /** MD5 of the original in lower-case hex; null where it is unknown. */
  originalMd5: string | null;
  /** Whether the record says that the content was removed. The file may still exist. */
  isRemoved: boolean;
}

/**
 * Reads a file from the disk, and compares it with `expected`, which is undefined where no record has the
 * path.
 */
export type Check = (path: string, expected?: Expected) => Promise<CheckedFile>;

/**
 * Returns the digest that the file of a download must have, with further facts from its record. For a set,
 * the file is the set's checksum file.
 */
export function expectedOf(record: PublishedDownload, originalMd5: string | null): Expected {
  const { download_id: downloadId, checksum, isRemoved } = record;
  return { downloadId, checksum, digest: digestOf(record), originalMd5, isRemoved };
}

/** The digests of a file on the disk, or why there are none. */
export type ReadResult =
  Partial<Record<ChecksumAlgorithm, string>> | "missing" | "removed" | "unreadable";

/** Computes digests of a file on the disk. @param onBytes called with the size of each piece in bytes */
export async function readDigests(
  file: string,
  algorithms: ChecksumAlgorithm[],
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<ReadResult> {
  try {
    // Only a regular file is opened, as opening a FIFO would block for ever.
    if (!(await stat(file)).isFile()) return "unreadable";
    return await digestsOfFile(file, algorithms, signal, onBytes);
  } catch (error) {
    const code = systemCode(error);
    if (code === null) throw error;
    return code === "ENOENT" || code === "ENOTDIR" ? "missing" : "unreadable";
  }
}

/**
 * Compares the digests of a file with the expected ones.
 * @param expected undefined where no record has this path
 */
export function judge(
  path: string,
  found: ReadResult,
  expected: Expected | undefined,
): CheckedFile {
  const digests = typeof found === "string" ? {} : found;
  const { checksum, digest = null, originalMd5 = null } = expected ?? {};
  const verdict = (): Verdict => {
    if (typeof found === "string") return found;
    if (checksum === undefined) return "unknown";
    if (found[checksum] !== digest) return "altered";
    return originalMd5 === null || originalMd5 === found.md5 ? "ok" : "not_original";
  };
  return {
    path,
    verdict: verdict(),
    download_id: expected?.downloadId ?? null,
    md5: digests.md5 ?? null,
    recorded_md5: checksum === "md5" ? digest : null,
    original_md5: originalMd5,
    sha256: digests.sha256 ?? null,
    recorded_sha256: checksum === "sha256" ? digest : null,
  };
}

/**
 * Returns the MD5 that `checksums.txt` lists for the original of a pulled file. Originals are listed with
 * their paths in the client's test folder.
 * @param path path of the file at the client, relative or absolute
 * @param sums the MD5 of each original, from `checksums.txt`; the key is the path that is listed there
 * @returns null where `checksums.txt` does not list the original
 */
export function originalSum(
  clientId: string,
  path: string,
  sums: Map<string, string>,
): string | null {
  const folder = `test-files/${clientId}/`;
  // Both readings of a backslash are tried: as part of a name, and as a separator on Windows.
  for (const candidate of [path, withSlashes(path)].map(normalize)) {
    const start = candidate.lastIndexOf(`/${folder}`);
    const absolute = start === -1 ? undefined : sums.get(candidate.slice(start + 1));
    const found = sums.get(folder + candidate) ?? absolute;
    if (found !== undefined) return found;
  }
  return null;
}

export function withSlashes(path: string): string {
  return path.replaceAll("\\", "/");
}
