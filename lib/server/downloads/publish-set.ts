import type { ChecksumAlgorithm } from "../../protocol/checksum.ts";
import { FdsError } from "../../protocol/errors.ts";
import { NameTakenError } from "../database/repository.ts";
import { type Download, type Downloading, resolvedSet, type Verifying } from "../download.ts";
import { nameOfSet, type SetCounts, type SetOrder, type SetRows } from "../set.ts";
import { MAX_NAMES, setPath } from "../storage/names.ts";
import type { IsOurs, SetStorage } from "../storage/storage.ts";
import type { Report } from "./publish.ts";

/*
 * The order of publishing a set. When it begins, every file is flushed and its checksum matched.
 *
 *   1. the row says `verifying`, and has the path that the folder will get, and the digest of the file of
 *      checksums that will lie beside it
 *   2. the folder gets that path; a taken name is never replaced, the next one is tried
 *   3. the file of checksums gets its name, beside the folder
 *   4. the row says `completed`
 *
 * After a crash between two steps, the row names the path, and finishSet() continues.
 */

/** The counts and bytes of a received set. */
export interface ReceivedSet {
  /** Bytes of the files that were received. */
  size: number;
  files: SetCounts;
  bytesOnWire: number;
}

/** The functions that publishing a set needs. */
export interface SetPublishing {
  sets: SetStorage;
  rows: Pick<SetRows, "countAgain" | "sums" | "storedBytes">;
  report: Report;
  isOurs: IsOurs;
}

/**
 * Publishes the files of a set.
 * @param download a download whose row does not say `verifying` yet
 * @returns the download as it is now: completed, unless another change of its row came first
 * @throws FdsError `storage_full` or `storage_error`
 */
export async function publishSet(
  download: Downloading & { set: SetOrder },
  received: ReceivedSet,
  publishing: SetPublishing,
): Promise<Download> {
  return takeName(download, received, Date.now(), publishing);
}

/**
 * Continues an interrupted publishing. Steps that were done are not repeated.
 * @throws FdsError as {@link publishSet}
 */
export async function finishSet(
  download: Verifying & { set: SetOrder },
  publishing: SetPublishing,
): Promise<Download> {
  const { source, files, bytesOnWire } = download;
  const { text } = await sumsOf(download, download.savedPath, publishing);
  const published = await publishAt(download, download.savedPath, text, publishing);
  if (published) return published;
  const counts = files ?? { total: 0, received: 0, unchanged: 0, skipped: 0 };
  const received = { size: source.totalSize, files: counts, bytesOnWire };
  return takeName(download, received, Date.now(), publishing);
}

async function takeName(
  download: (Downloading | Verifying) & { set: SetOrder },
  received: ReceivedSet,
  at: number,
  publishing: SetPublishing,
): Promise<Download> {
  const { epoch, clientId, set, localTime } = download;
  const name = nameOfSet(resolvedSet(set, localTime));
  let current: Download = download;
  for (let n = 1; n <= MAX_NAMES; n++) {
    const savedPath = setPath(clientId, name, at, n);
    const { text, digest } = await sumsOf(download, savedPath, publishing);
    try {
      current = await publishing.report(
        current.status === "verifying"
          ? { type: "renamed", epoch, savedPath, digest }
          : { ...received, type: "received", epoch, savedPath, digest },
      );
    } catch (error) {
      if (error instanceof NameTakenError) continue;
      throw error;
    }
    if (current.status !== "verifying" || current.epoch !== epoch) return current;
    const published = await publishAt(download, savedPath, text, publishing);
    if (published) return published;
  }
  throw new FdsError("storage_error", `no free name for "${name}" was found`);
}

/**
 * Gives a set's folder its path, gives the file of checksums its name, and records that the set is published.
 * @param text text of the file of checksums
 * @returns the download as it is after that; null: the name is taken on the disk
 */
async function publishAt(
  download: Downloading | Verifying,
  savedPath: string,
  text: string,
  publishing: SetPublishing,
): Promise<Download | null> {
  const { downloadId, epoch, checksum } = download;
  const { sets, rows, isOurs } = publishing;
  const sums = { suffix: suffixOf(checksum), text };
  if (!(await sets.publish(downloadId, savedPath, sums, epoch, isOurs))) return null;
  const storedBytes = await rows.storedBytes(downloadId, sets.sharesBytes);
  const published = await publishing.report({
    type: "published",
    epoch,
    now: Date.now(),
    storedBytes,
  });
  if (sets.sharesBytes && (published.files?.unchanged ?? 0) > 0) await rows.countAgain(downloadId);
  return published;
}

/** Returns the suffix of a set's file of checksums: `.md5` or `.sha256`. */
export function suffixOf(checksum: ChecksumAlgorithm): string {
  return `.${checksum}`;
}

/**
 * Returns the text of a set's file of checksums, one line for each file. The paths in it are relative to the
 * server's folder `DOWNLOADS_DIR/<client_id>`, where `md5sum --check` or `sha256sum --check` can verify the
 * set. No name in a set contains a character that these programs would escape.
 */
async function sumsOf(
  { downloadId, checksum }: Pick<Download, "downloadId" | "checksum">,
  savedPath: string,
  { rows }: SetPublishing,
): Promise<{ text: string; digest: string }> {
  const folder = savedPath.slice(savedPath.indexOf("/") + 1);
  const hash = new Bun.CryptoHasher(checksum);
  const pages: string[] = [];
  for await (const files of rows.sums(downloadId)) {
    const page = files.map(({ digest, place: path }) => `${digest}  ${folder}/${path}\n`).join("");
    hash.update(page);
    pages.push(page);
  }
  return { text: pages.join(""), digest: hash.digest("hex") };
}
