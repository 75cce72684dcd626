import { join } from "node:path";
import type { ChecksumAlgorithm } from "../../api/checksums.ts";
import type { ApiClient } from "../rest/api-client.ts";
import {
  type Check,
  type CheckedFile,
  expectedOf,
  judge,
  originalSum,
  type PublishedDownload,
  readDigests,
  withSlashes,
} from "./checked-file.ts";
import { removedFiles } from "./removed-files.ts";
import { filesBelow, savedNames } from "./saved-names.ts";
import { verifySet } from "./set-verification.ts";

export interface VerificationOptions {
  api: ApiClient;
  /** The server's folder of downloads, as a path on this machine. */
  downloadsDir: string;
  /** The MD5 of each original, from `checksums.txt`. The key is the path that is listed there. */
  sums: Map<string, string>;
  signal: AbortSignal;
  /** Called after each piece that was read, with the number of bytes read so far, and the total number. */
  onProgress?: (done: number, total: number) => void;
}

/** The number of records in a page of the server's list. */
const PAGE_SIZE = "1000";

/**
 * Reads every file in the folder of downloads, and compares it with its record and, where it is known, with
 * the MD5 of its original. Unfinished files are left alone. All correct files of a set have one verdict
 * together. Every other file has its own.
 * @throws Failure when the folder does not exist
 */
export async function verifyDownloads(options: VerificationOptions): Promise<CheckedFile[]> {
  const { api, downloadsDir, sums, signal, onProgress } = options;
  // Files are listed before records, so that a file published in between is not reported as unknown.
  const names = await savedNames(downloadsDir);
  const records = await completedDownloads(api, signal);
  const removed = await removedFiles(downloadsDir);
  let done = 0;
  const onBytes = (bytes: number) => onProgress?.((done += bytes), Math.max(done, names.bytes));
  const check: Check = async (path, expected) => {
    const algorithms = new Set<ChecksumAlgorithm>([expected?.checksum ?? "md5"]);
    if (expected && expected.originalMd5 !== null) algorithms.add("md5");
    const found = await readDigests(join(downloadsDir, path), [...algorithms], signal, onBytes);
    const isRemovalRecorded = expected?.isRemoved || removed.has(path);
    const isRemoved = found === "missing" && isRemovalRecorded;
    return judge(path, isRemoved ? "removed" : found, expected);
  };
  const checked: CheckedFile[] = [];
  const files = new Set(names.files);
  const folders = new Set(names.folders);
  for (const record of records) {
    const path = withSlashes(record.saved_path);
    if (record.kind === "set") {
      folders.delete(path);
      files.delete(`${path}.${record.checksum}`);
      const set = { record, path, isRemoved: record.isRemoved || removed.has(path) };
      checked.push(...(await verifySet(set, { api, downloadsDir, sums, signal, check })));
    } else {
      files.delete(path);
      const originalMd5 = originalSum(record.client_id, record.file_path ?? "", sums);
      checked.push(await check(path, expectedOf(record, originalMd5)));
    }
  }
  for (const path of files) checked.push(await check(path));
  for (const folder of folders) {
    for await (const path of filesBelow(downloadsDir, folder)) checked.push(await check(path));
  }
  return checked.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Returns the records of all completed downloads that have a saved path, even if the content was removed
 * since.
 */
async function completedDownloads(
  api: ApiClient,
  signal: AbortSignal,
): Promise<PublishedDownload[]> {
  const records: PublishedDownload[] = [];
  let cursor: string | null = null;
  do {
    const page = await api.downloads(
      { status: "completed", limit: PAGE_SIZE, ...(cursor !== null && { cursor }) },
      signal,
    );
    for (const record of page.downloads) {
      const { download_id, client_id, kind, file_path, checksum, md5, sha256, saved_path } = record;
      if (saved_path === null) continue;
      const isRemoved = record.removed_at !== null;
      const fields = { download_id, client_id, kind, file_path, checksum, md5, sha256 };
      records.push({ ...fields, saved_path, isRemoved });
    }
    cursor = page.next_cursor;
  } while (cursor !== null);
  return records;
}
