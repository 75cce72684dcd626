import { stat } from "node:fs/promises";
import { normalize } from "node:path/posix";
import { type ChecksumAlgorithm, digestOf } from "../../api/checksums.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { systemCode } from "../../util/system-error.ts";
import { digestsOfFile } from "../checksums.ts";

/**
 * What a file turned out to be: `altered` differs from its record, `not_original` is as recorded
 * but differs from `checksums.txt`, `not_as_listed` are checksums of a set that the server lists
 * otherwise, `missing` has a record and no file, `removed` is missing because the server or a person
 * with the guide removed it, `unknown` has no record.
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

/** One line of the verification: a file in the folder of downloads, one that is missing there, or all right files of a set together. */
export interface CheckedFile {
  /** Relative to the folder of downloads, with forward slashes. */
  path: string;
  verdict: Verdict;
  download_id: string | null;
  /** How many files of a set have this verdict. The digests are those of its checksums. */
  files?: number;
  /** Lower-case hex: of the bytes on the disk, as recorded, and of the original where it is known. */
  md5: string | null;
  recorded_md5: string | null;
  original_md5: string | null;
  /** The digest of a download whose checksum is SHA-256. */
  sha256: string | null;
  recorded_sha256: string | null;
}

/** The fields of a record that are needed. There may be very many records, with long patterns. */
export type Published = Pick<
  DownloadRecord,
  "download_id" | "client_id" | "kind" | "file_path" | "checksum" | "md5" | "sha256"
> & {
  saved_path: string;
  /** The record says that it was removed; it may be there still. */
  isRemoved: boolean;
};

/** The size and digest that a published file has to have. */
export interface Expected {
  downloadId: string;
  checksum: ChecksumAlgorithm;
  /** Lower-case hex. */
  digest: string | null;
  /** MD5 of the original; null where nobody recorded it. */
  original: string | null;
  /** Its record says that it was removed. */
  isRemoved: boolean;
}

/** Reads a file again, and compares it. @param expected undefined: no download on record has this name */
export type Check = (path: string, expected?: Expected) => Promise<CheckedFile>;

/** What the file of a record has to be. For a set this is the file of its checksums. */
export function expectedOf(record: Published, original: string | null): Expected {
  const { download_id: downloadId, checksum, isRemoved } = record;
  return { downloadId, checksum, digest: digestOf(record), original, isRemoved };
}

/** The digests of a file, or why there are none. */
export type Found =
  Partial<Record<ChecksumAlgorithm, string>> | "missing" | "removed" | "unreadable";

/** Reads a file again. @param onBytes gets the size of each piece */
export async function readAgain(
  file: string,
  algorithms: ChecksumAlgorithm[],
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<Found> {
  try {
    // a FIFO would be waited for without end
    if (!(await stat(file)).isFile()) return "unreadable";
    return await digestsOfFile(file, algorithms, signal, onBytes);
  } catch (error) {
    const code = systemCode(error);
    if (code === null) throw error;
    return code === "ENOENT" || code === "ENOTDIR" ? "missing" : "unreadable";
  }
}

/** Compares what was found with what should be. @param expected undefined: nobody knows the file */
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
 * The sum of the file that was pulled, where `checksums.txt` names that: below the client's own
 * folder, by a path relative to it or an absolute one.
 */
export function originalSum(
  clientId: string,
  path: string,
  sums: Map<string, string>,
): string | null {
  const folder = `test-files/${clientId}/`;
  // A backslash is a part of a name, or stands between two on Windows.
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
