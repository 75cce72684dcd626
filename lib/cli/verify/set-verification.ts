import { stat } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../api/checksums.ts";
import { systemCode } from "../../util/system-error.ts";
import type { ApiClient } from "../rest/api-client.ts";
import { setFilePages } from "../rest/set-file-list.ts";
import { SetSums } from "../rest/set-sums.ts";
import { filesBelow } from "./saved-names.ts";
import {
  type Check,
  type CheckedFile,
  expectedOf,
  originalSum,
  type PublishedDownload,
} from "./checked-file.ts";

/** A published set, to be verified. */
export interface PublishedSet {
  record: PublishedDownload;
  /** Path of the set's folder, relative to the folder of downloads. */
  path: string;
  /**
   * Whether the whole set was removed, by the server or with the guide. A folder with this path may exist
   * again.
   */
  isRemoved: boolean;
}

export interface SetVerificationOptions {
  api: ApiClient;
  /** The server's folder of downloads, as a path on this machine. */
  downloadsDir: string;
  /** The MD5 of each original, from `checksums.txt`. The key is the path that is listed there. */
  sums: Map<string, string>;
  signal: AbortSignal;
  check: Check;
}

/**
 * Compares every file of a set with the server's list, and the set's checksum file with the record. To save
 * memory, only the names of the files and the problems are kept.
 * @returns one verdict for all correct files together, and one for each other file; a single verdict where
 *   the set's folder does not exist
 */
export async function verifySet(
  { record, path, isRemoved }: PublishedSet,
  { api, downloadsDir, sums, signal, check }: SetVerificationOptions,
): Promise<CheckedFile[]> {
  const { download_id, client_id, checksum } = record;
  const expected = expectedOf(record, null);
  const checksumFile = await check(`${path}.${checksum}`, expected);
  if (!(await isFolder(join(downloadsDir, path))))
    return [{ ...checksumFile, path, verdict: isRemoved ? "removed" : "missing" }];
  const wrong: CheckedFile[] = checksumFile.verdict === "ok" ? [] : [checksumFile];
  const listedSums = new SetSums(checksum);
  const listedPaths = new Set<string>();
  let rightCount = 0;
  for await (const page of setFilePages(api, download_id, { signal })) {
    for (const file of page) {
      listedSums.add(file);
      if (file.saved_path === null) continue;
      listedPaths.add(file.saved_path);
      const originalMd5 = originalSum(client_id, file.path, sums);
      const digest = file[checksum];
      const checked = await check(file.saved_path, { ...expected, digest, originalMd5 });
      if (checked.verdict === "ok") rightCount++;
      else wrong.push(checked);
    }
  }
  if (listedSums.digest() !== digestOf(record))
    wrong.push({ ...checksumFile, verdict: "not_as_listed" });
  for await (const found of filesBelow(downloadsDir, path)) {
    if (!listedPaths.has(found)) wrong.push(await check(found));
  }
  return [{ ...checksumFile, path, verdict: "ok", files: rightCount }, ...wrong];
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (systemCode(error) === null) throw error;
    return false;
  }
}
