import { stat } from "node:fs/promises";
import { normalize } from "node:path/posix";
import { type ChecksumAlgorithm, digestOf } from "../../api/checksums.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { systemCode } from "../../util/system-error.ts";
import { digestsOfFile } from "../checksums.ts";

/**
 * Result for a file: `altered` differs from its record; `not_original` matches its record but not
 * `checksums.txt`; `not_as_listed` are checksums of a set that the server lists differently; `missing` has
 * a record and no file; `removed` is missing because the server, or a person with the guide, removed it;
 * `unknown` has no record.
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
 * One line of the verification: a file in the folder of downloads, a missing one, or all right files of a
 * set together.
 */
export interface CheckedFile {
  /** Relative to the folder of downloads, with forward slashes. */
  path: string;
  verdict: Verdict;
  download_id: string | null;
  /** Number of files of a set with this verdict. The digests are those of its checksums. */
  files?: number;
  /** In lower-case hex: of the bytes on the disk, of the record, and of the original where it is known. */
  md5: string | null;
  recorded_md5: string | null;
  original_md5: string | null;
  /** The digest of a download with SHA-256 checksums. */
  sha256: string | null;
  recorded_sha256: string | null;
}

/** The fields of a record that are needed, as there may be very many records with long patterns. */
export type Published = Pick<
  DownloadRecord,
  "download_id" | "client_id" | "kind" | "file_path" | "checksum" | "md5" | "sha256"
> & {
  saved_path: string;
  /** The record says that it was removed; the file may still exist. */
  isRemoved: boolean;
};

/** The size and digest that a published file must have. */
export interface Expected {
  downloadId: string;
  checksum: ChecksumAlgorithm;
  /** Lower-case hex. */
  digest: string | null;
  /** MD5 of the original; null: not known. */
  original: string | null;
  /** Its record says that it was removed. */
  isRemoved: boolean;
}

/** Reads a file again, and compares it. @param expected undefined: no download on record has this path */
export type Check = (path: string, expected?: Expected) => Promise<CheckedFile>;

/** What the file of a record must be. For a set, this is its file of checksums. */
export function expectedOf(record: Published, original: string | null): Expected {
  const { download_id: downloadId, checksum, isRemoved } = record;
  return { downloadId, checksum, digest: digestOf(record), original, isRemoved };
}

/** The digests of a file, or why there are none. */
export type Found =
  Partial<Record<ChecksumAlgorithm, string>> | "missing" | "removed" | "unreadable";

/** Reads a file again. @param onBytes called with the size of each piece */
export async function readAgain(
  file: string,
  algorithms: ChecksumAlgorithm[],
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<Found> {
  try {
    // Opening a FIFO would wait for ever.
    if (!(await stat(file)).isFile()) return "unreadable";
    return await digestsOfFile(file, algorithms, signal, onBytes);
  } catch (error) {
    const code = systemCode(error);
    if (code === null) throw error;
    return code === "ENOENT" || code === "ENOTDIR" ? "missing" : "unreadable";
  }
}

/** Compares a file with what is expected. @param expected undefined: no record has this path */
export function judge(path: string, found: Found, expected: Expected | undefined): CheckedFile {
  const digests = typeof found === "string" ? {} : found;
  const { checksum, digest = null, original = null } = expected ?? {};
  const verdict = (): Verdict => {
    if (typeof found === "string") return found;
    if (checksum === undefined) return "unknown";
    if (found[checksum] !== digest) return "altered";
    return original === null || original === found.md5 ? "ok" : "not_original";
  };
  return {
    path,
    verdict: verdict(),
    download_id: expected?.downloadId ?? null,
    md5: digests.md5 ?? null,
    recorded_md5: checksum === "md5" ? digest : null,
    original_md5: original,
    sha256: digests.sha256 ?? null,
    recorded_sha256: checksum === "sha256" ? digest : null,
  };
}

/**
 * The sum of the pulled file's original, if `checksums.txt` has it: below the client's own folder, by a
 * relative or absolute path.
 */
export function originalSum(
  clientId: string,
  path: string,
  sums: Map<string, string>,
): string | null {
  const folder = `test-files/${clientId}/`;
  // A backslash is part of a name, or a separator on Windows.
  for (const asked of [path, withSlashes(path)].map(normalize)) {
    const start = asked.lastIndexOf(`/${folder}`);
    const absolute = start === -1 ? undefined : sums.get(asked.slice(start + 1));
    const found = sums.get(folder + asked) ?? absolute;
    if (found !== undefined) return found;
  }
  return null;
}

export function withSlashes(path: string): string {
  return path.replaceAll("\\", "/");
}
