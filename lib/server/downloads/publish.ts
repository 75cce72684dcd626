import { CHECKSUM_NAMES, type ChecksumAlgorithm } from "../../protocol/checksum.ts";
import { FdsError } from "../../protocol/errors.ts";
import { eventLoopBudget } from "../../util/event-loop-budget.ts";
import { NameTakenError } from "../database/repository.ts";
import { type Download, type Downloading, resolvedPath, type Verifying } from "../download.ts";
import type { DownloadEvent } from "../download-event.ts";
import { MAX_NAMES, savedPath } from "../storage/names.ts";
import type { IsOurs, Storage } from "../storage/storage.ts";

/*
 * The order of publishing a file. When it begins, every byte is flushed and the checksum matched.
 *
 *   1. the row says `verifying` and names the path that the file will get
 *   2. the part gets that path; a taken name is never overwritten, the next one is tried
 *   3. the row says `completed`
 *
 * After a crash between two steps, the row names the path, and finishPublishing() continues.
 */

/** Records an event of a download. @returns the download as it is after the event */
export type Report = (event: DownloadEvent) => Promise<Download>;

/** The functions that publishing a file needs. */
export interface FilePublishing {
  storage: Pick<Storage, "openPart" | "openFile" | "publish">;
  report: Report;
  isOurs: IsOurs;
}

/**
 * Publishes the verified part of a download.
 * @param received what was received, to record it if the row does not say `verifying` yet
 * @returns the download as it is now: completed, unless another change of its row came first
 * @throws FdsError `storage_full` or `storage_error`
 */
export async function publish(
  download: Downloading | Verifying,
  received: { digest: string; size: number; bytesOnWire: number },
  publishing: FilePublishing,
): Promise<Download> {
  const { storage, report, isOurs } = publishing;
  const { epoch, clientId } = download;
  const filePath = resolvedPath(download);
  const at = Date.now();
  let current: Download = download;
  for (let n = 1; n <= MAX_NAMES; n++) {
    const path = savedPath(clientId, filePath, at, n);
    try {
      current = await report(
        current.status === "verifying"
          ? { type: "renamed", epoch, savedPath: path }
          : { type: "received", epoch, savedPath: path, ...received },
      );
    } catch (error) {
      if (error instanceof NameTakenError) continue;
      throw error;
    }
    if (current.status !== "verifying" || current.epoch !== epoch) return current;
    if (await storage.publish(download.downloadId, path, epoch, isOurs)) {
      return report({ type: "published", epoch, now: Date.now() });
    }
  }
  throw new FdsError("storage_error", `no free name for "${filePath}" was found`);
}

/**
 * Continues a publishing that a crash or an error of the disk interrupted. The bytes on the disk are read
 * again, and must have the recorded digest.
 * @throws FdsError `checksum_mismatch`, `storage_full` or `storage_error`
 */
export async function finishPublishing(
  download: Verifying,
  publishing: FilePublishing,
): Promise<Download> {
  const { storage, report, isOurs } = publishing;
  const { downloadId, epoch, checksum, digest, source, bytesOnWire } = download;
  const tryPublish = () => storage.publish(downloadId, download.savedPath, epoch, isOurs);
  const published = await storage.openFile(download.savedPath);
  if (published && published.size === source.totalSize) {
    const stored = await digestOf(checksum, (offset, length) => {
      const end = Math.min(published.size, offset + length);
      return published.slice(offset, end).bytes();
    });
    // The file is published once more, because some steps of the interrupted publishing may not have reached
    // the disk.
    if (stored === digest && (await tryPublish())) {
      return report({ type: "published", epoch, now: Date.now() });
    }
  }
  const part = await storage.openPart(downloadId, epoch, true);
  try {
    const stored = await digestOf(checksum, (offset, length) => part.read(offset, length));
    if (stored !== digest) {
      const message = `the ${CHECKSUM_NAMES[checksum]} of what was stored is ${stored}, it was ${digest}`;
      throw new FdsError("checksum_mismatch", message);
    }
    // The bytes can be read, but they may not be flushed to the disk yet.
    await part.sync();
  } finally {
    await part.close();
  }
  // The name in the row is tried first, because another server that seemed dead may still give the part this
  // name.
  if (await tryPublish()) {
    return report({ type: "published", epoch, now: Date.now() });
  }
  return publish(download, { digest, size: source.totalSize, bytesOnWire }, publishing);
}

const BLOCK = 1024 * 1024;

async function digestOf(
  checksum: ChecksumAlgorithm,
  read: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<string> {
  const hash = new Bun.CryptoHasher(checksum);
  for (let offset = 0; ;) {
    const block = await read(offset, BLOCK);
    if (block.length === 0) return hash.digest("hex");
    await eventLoopBudget.run(() => hash.update(block));
    offset += block.length;
  }
}
