import { lstat, readdir, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { normalize } from "node:path/posix";
import { type ChecksumAlgorithm, digestOf } from "../../api/checksums.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { systemCode } from "../../util/system-error.ts";
import type { ApiClient } from "../rest/api-client.ts";
import { digestsOfFile } from "../checksums.ts";
import { Failure } from "../program.ts";
import { removedFiles } from "./removed-files.ts";

/**
 * What a file turned out to be: `altered` differs from its record, `not_original` is as recorded
 * but differs from `checksums.txt`, `missing` has a record and no file, `removed` is missing because
 * a person removed it with the guide, `unknown` has no record.
 */
export type Verdict =
  "ok" | "altered" | "not_original" | "missing" | "removed" | "unknown" | "unreadable";

/** A file in the folder of downloads, or one that should be there. */
export interface CheckedFile {
  /** Relative to the folder of downloads, with forward slashes. */
  path: string;
  verdict: Verdict;
  download_id: string | null;
  /** Lower-case hex: of the bytes on the disk, as recorded, and of the original where it is known. */
  md5: string | null;
  recorded_md5: string | null;
  original_md5: string | null;
  /** Of a download that has SHA-256 for its checksum. */
  sha256: string | null;
  recorded_sha256: string | null;
}

export interface VerificationOptions {
  api: ApiClient;
  /** The server's folder of downloads, as this machine sees it. */
  downloadsDir: string;
  /** MD5 by path, as `checksums.txt` has them. */
  sums: Map<string, string>;
  signal: AbortSignal;
  /** Told how far it is, in bytes. */
  onProgress?: (done: number, total: number) => void;
}

/** Most records that the server gives at once. */
const PAGE = "1000";

/**
 * Reads every file in the folder of downloads again and compares it with its record, and with
 * the MD5 of its original where that is known. What is under way is left alone.
 * @throws Failure when the folder is not there
 */
export async function verifyDownloads(options: VerificationOptions): Promise<CheckedFile[]> {
  const { api, downloadsDir, sums, signal, onProgress } = options;
  // the files first: what is published meanwhile has its record by the time those are listed
  const sizes = await savedFiles(downloadsDir);
  const records = await completedDownloads(api, signal);
  const removed = await removedFiles(downloadsDir);
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  let done = 0;
  const read = async (path: string, algorithms: ChecksumAlgorithm[]): Promise<Found> => {
    const file = join(downloadsDir, path);
    try {
      // a FIFO would be waited for without end
      if (!(await stat(file)).isFile()) return "unreadable";
      return await digestsOfFile(file, algorithms, signal, (bytes) =>
        onProgress?.((done += bytes), total),
      );
    } catch (error) {
      const code = systemCode(error);
      if (code === null) throw error;
      if (code !== "ENOENT") return "unreadable";
      return removed.has(path) ? "removed" : "missing";
    }
  };
  const checked: CheckedFile[] = [];
  for (const path of new Set([...sizes.keys(), ...records.keys()])) {
    const record = records.get(path);
    const original = record ? originalSum(record, sums) : null;
    const algorithms = new Set([record?.checksum ?? "md5"]);
    if (original !== null) algorithms.add("md5");
    checked.push(judge(path, await read(path, [...algorithms]), record, original));
  }
  return checked.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** Sizes in bytes by path; names with a leading dot are the server's own or the system's. */
async function savedFiles(downloadsDir: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  const visit = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.name.startsWith(".")) continue;
      if (entry.isDirectory()) await visit(path);
      else sizes.set(withSlashes(relative(downloadsDir, path)), (await lstat(path)).size);
    }
  };
  try {
    await visit(downloadsDir);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    throw new Failure(
      `pass the server's folder of downloads as --downloads-dir: there is no "${downloadsDir}" here`,
      { cause: error },
    );
  }
  return sizes;
}

/** Every completed download, by the path of its file. */
async function completedDownloads(api: ApiClient, signal: AbortSignal) {
  const records = new Map<string, DownloadRecord>();
  let cursor: string | null = null;
  do {
    const page = await api.downloads(
      { status: "completed", limit: PAGE, ...(cursor !== null && { cursor }) },
      signal,
    );
    for (const record of page.downloads) {
      if (record.saved_path !== null) records.set(withSlashes(record.saved_path), record);
    }
    cursor = page.next_cursor;
  } while (cursor !== null);
  return records;
}

/** The digests of a file, or why there are none. */
type Found = Partial<Record<ChecksumAlgorithm, string>> | "missing" | "removed" | "unreadable";

function judge(
  path: string,
  found: Found,
  record: DownloadRecord | undefined,
  original: string | null,
): CheckedFile {
  const digests = typeof found === "string" ? {} : found;
  const verdict = (): Verdict => {
    if (typeof found === "string") return found;
    if (!record) return "unknown";
    if (found[record.checksum] !== digestOf(record)) return "altered";
    return original === null || original === found.md5 ? "ok" : "not_original";
  };
  return {
    path,
    verdict: verdict(),
    download_id: record?.download_id ?? null,
    md5: digests.md5 ?? null,
    recorded_md5: record?.md5 ?? null,
    original_md5: original,
    sha256: digests.sha256 ?? null,
    recorded_sha256: record?.sha256 ?? null,
  };
}

/**
 * The sum of the file that was pulled, where `checksums.txt` names that: below the client's own
 * folder, by a path relative to it or an absolute one.
 */
function originalSum(record: DownloadRecord, sums: Map<string, string>): string | null {
  const folder = `test-files/${record.client_id}/`;
  const path = record.file_path ?? "";
  // A backslash is a part of a name, or stands between two on Windows.
  for (const asked of [path, withSlashes(path)].map(normalize)) {
    const start = asked.lastIndexOf(`/${folder}`);
    const absolute = start === -1 ? undefined : sums.get(asked.slice(start + 1));
    const found = sums.get(folder + asked) ?? absolute;
    if (found !== undefined) return found;
  }
  return null;
}

function withSlashes(path: string): string {
  return path.replaceAll("\\", "/");
}
