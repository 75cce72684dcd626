import { FdsError, type Problem } from "../../protocol/errors.ts";
import { formatSize } from "../../util/sizes.ts";
import type { Storage } from "./storage.ts";

/**
 * Refuses a new download while the disk is full. REST then answers with status 507.
 * @param minFreeDisk number of bytes that must stay free
 * @throws FdsError `storage_full` or `storage_error`
 */
export async function requireFreeSpace(
  storage: Pick<Storage, "freeSpace">,
  minFreeDisk: number,
): Promise<void> {
  if ((await storage.freeSpace()).free >= minFreeDisk) return;
  throw new FdsError("storage_full", "The server's disk is too full for another download");
}

/** The reason why a download does not fit on the disk or within a quota. */
export interface SpaceShortage {
  problem: Problem;
  /** True: waiting cannot help, because the download is larger than the whole disk or quota. */
  final: boolean;
}

/**
 * Checks whether the rest of a download would leave enough free space on the disk.
 * @param totalSize size of the download in bytes; 0: not known yet
 * @param written number of the download's bytes that are already on the disk
 * @param minFreeDisk number of bytes that must stay free
 * @returns null if there is enough space
 * @throws FdsError `storage_error`
 */
export async function findSpaceShortage(
  storage: Pick<Storage, "freeSpace">,
  totalSize: number,
  written: number,
  minFreeDisk: number,
): Promise<SpaceShortage | null> {
  const { free, total } = await storage.freeSpace();
  const reserve = formatSize(minFreeDisk);
  if (totalSize + minFreeDisk > total) {
    const message = `a disk of ${formatSize(total)} can never hold the file's ${formatSize(totalSize)} with ${reserve} left free`;
    return { problem: { code: "storage_full", message }, final: true };
  }
  const missing = totalSize - written;
  if (free - missing >= minFreeDisk) return null;
  const message = `the disk has ${formatSize(free)} free, the file needs ${formatSize(missing)} more and ${reserve} must stay free`;
  return { problem: { code: "storage_full", message }, final: false };
}
