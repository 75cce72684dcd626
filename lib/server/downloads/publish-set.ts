import type { ChecksumAlgorithm } from "../../protocol/checksum.ts";
import { FdsError } from "../../protocol/errors.ts";
import { NameTakenError } from "../database/repository.ts";
import { type Download, type Downloading, resolvedSet, type Verifying } from "../download.ts";
import { nameOfSet, type SetCounts, type SetOrder, type SetRows } from "../set.ts";
import { MAX_NAMES, setPath } from "../storage/names.ts";
import type { IsOurs, SetStorage } from "../storage/storage.ts";
import type { Report } from "./publish.ts";

/*
 * The order of publishing a set. When it begins, every file is flushed and was compared.
 *
 *   1. the row says `verifying` and names the folder that will be taken, with the digest of the
 *      checksums that will lie beside it
 *   2. the folder gets that name; a name that is taken is never replaced, the next one is tried
 *   3. the checksums get theirs, beside it
 *   4. the row says `completed`
 *
 * A crash after 1, 2 or 3 leaves a row that says what was meant: finishSet() goes on from it.
 */

/** The counts and bytes of a received set. */
export interface SetVerdict {
  /** Bytes of the files that came. */
  size: number;
  files: SetCounts;
  bytesOnWire: number;
}

/** What publishing a set needs. */
export interface SetPublishing {
  sets: SetStorage;
  rows: Pick<SetRows, "countAgain" | "sums" | "storedBytes">;
  report: Report;
  isOurs: IsOurs;
}

/**
 * Publishes the files of a set.
 * @param download its row must not say `verifying` yet
 * @returns the download as it is then: completed, unless somebody else changed its row
 * @throws FdsError `storage_full` or `storage_error`
 */
export async function publishSet(
  download: Downloading & { set: SetOrder },
  verdict: SetVerdict,
  publishing: SetPublishing,
): Promise<Download> {
  return takeName(download, verdict, Date.now(), 1, publishing);
}

/** Continues an interrupted publishing; no step is done twice. @throws see publishSet */
export async function finishSet(
  download: Verifying & { set: SetOrder },
  publishing: SetPublishing,
): Promise<Download> {
  const { source, files, bytesOnWire } = download;
  const { text } = await sumsOf(download, download.savedPath, publishing);
  const done = await place(download, download.savedPath, text, publishing);
  if (done) return done;
  const counts = files ?? { total: 0, received: 0, unchanged: 0, skipped: 0 };
  const verdict = { size: source.totalSize, files: counts, bytesOnWire };
  return takeName(download, verdict, Date.now(), 1, publishing);
}

async function takeName(
  download: (Downloading | Verifying) & { set: SetOrder },
  verdict: SetVerdict,
  at: number,
  first: number,
  publishing: SetPublishing,
): Promise<Download> {
  const { epoch, clientId, set, localTime } = download;
  const name = nameOfSet(resolvedSet(set, localTime));
  let current: Download = download;
  for (let n = first; n <= MAX_NAMES; n++) {
    const savedPath = setPath(clientId, name, at, n);
    const { text, digest } = await sumsOf(download, savedPath, publishing);
    try {
      current = await publishing.report(
        current.status === "verifying"
          ? { type: "renamed", epoch, savedPath, digest }
          : { ...verdict, type: "received", epoch, savedPath, digest },
      );
    } catch (error) {
      if (error instanceof NameTakenError) continue;
      throw error;
    }
    if (current.status !== "verifying" || current.epoch !== epoch) return current;
    const done = await place(download, savedPath, text, publishing);
    if (done) return done;
  }
  throw new FdsError("storage_error", `no free name for "${name}" was found`);
}

/** @param text of the checksums @returns null if the name is taken on the disk */
async function place(
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
  const done = await publishing.report({ type: "published", epoch, now: Date.now(), storedBytes });
  if (sets.sharesBytes && (done.files?.unchanged ?? 0) > 0) await rows.countAgain(downloadId);
  return done;
}

/** Suffix of a set's file of checksums: `.md5` or `.sha256`. */
export function suffixOf(checksum: ChecksumAlgorithm): string {
  return `.${checksum}`;
}

/**
 * The checksums of a set's files, one per line, so that `md5sum` can check them in the client's folder.
 * Names in a set need no escaping.
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
