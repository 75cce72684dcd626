import { formatSize } from "../../util/sizes.ts";
import type { Repository } from "../database/repository.ts";
import type { Downloading } from "../download.ts";
import type { NoRoom } from "../transfer/free-space.ts";
import type { Storage } from "../storage/storage.ts";

/** What may lie in DOWNLOADS_DIR, in bytes; null: as much as the disk holds. */
export interface Quotas {
  file: number | null;
  perClient: number | null;
  total: number | null;
}

/**
 * Whether a file would be more than is allowed, beside what lies there and what is under way. A
 * file that is too large for itself never fits; any other waits for room, as on a full disk.
 * @param totalSize of the file, in bytes
 * @returns null if it may come
 * @throws FdsError `storage_error`
 */
export async function findOverQuota(
  quotas: Quotas,
  { downloadId, clientId }: Pick<Downloading, "downloadId" | "clientId">,
  totalSize: number,
  storage: Pick<Storage, "usedBytes">,
  repository: Pick<Repository, "activeDownloads">,
): Promise<NoRoom | null> {
  if (quotas.file !== null && totalSize > quotas.file) {
    const largest = formatSize(quotas.file);
    return overQuota(`the file has ${formatSize(totalSize)}, the most is ${largest}`, true);
  }
  for (const [quota, owner, ofWhom] of [
    [quotas.perClient, clientId, `"${clientId}"`],
    [quotas.total, undefined, "all clients"],
  ] as const) {
    if (quota === null) continue;
    const active = await repository.activeDownloads();
    const others = active.filter(
      (other) =>
        other.downloadId !== downloadId && (owner === undefined || other.clientId === owner),
    );
    const coming = others.reduce((sum, { source }) => sum + (source?.totalSize ?? 0), 0);
    const used = (await storage.usedBytes(owner)) + coming;
    if (used + totalSize <= quota) continue;
    const room = `${formatSize(used)} of ${formatSize(quota)} are used`;
    return overQuota(
      `the quota of ${ofWhom} is too small: ${room}, the file has ${formatSize(totalSize)}`,
      totalSize > quota,
    );
  }
  return null;
}

function overQuota(message: string, final: boolean): NoRoom {
  return { problem: { code: "storage_full", message }, final };
}
