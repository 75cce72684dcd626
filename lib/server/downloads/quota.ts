import { formatSize } from "../../util/sizes.ts";
import type { Repository } from "../database/repository.ts";
import { type Active, type Downloading, durableOffsetOf } from "../download.ts";
import type { KeepRows } from "../keep.ts";
import type { SpaceShortage } from "../storage/free-space.ts";

/** Maximum number of bytes of a single file, of each client, and of all clients together; null: no limit. */
export interface Quotas {
  file: number | null;
  perClient: number | null;
  total: number | null;
}

/** How a file exceeds a quota. */
export interface OverQuota extends SpaceShortage {
  /**
   * Id of the client whose quota is exceeded; null: the quota of all clients, or the largest size of a file,
   * is exceeded.
   */
  clientId: string | null;
}

/**
 * Time after a download's first start during which it reserves the whole size that its client states, in ms.
 */
const GRACE_MS = 10_000;
/**
 * Time ahead, in ms, for which a download reserves quota after {@link GRACE_MS}. It then reserves the bytes
 * received so far, and those that would come in this time at its average rate.
 */
const AHEAD_MS = 60_000;

/**
 * Returns how much of a quota a running download reserves, in bytes. After a while this depends on the bytes
 * received, so that a client that states a large size and sends nothing does not hold up others.
 * @param now ms since 1970
 */
export function reservedFor(download: Active, now: number): number {
  const { totalSize } = download.source ?? { totalSize: 0 };
  const received = durableOffsetOf(download);
  const age = now - download.startedAt;
  if (age < GRACE_MS) return totalSize;
  return Math.min(totalSize, Math.ceil(received + (received / age) * AHEAD_MS));
}

/**
 * Checks whether a file exceeds a quota, given the stored bytes and those reserved for other downloads. A
 * file that is larger than the quota never fits. Any other file waits until there is space.
 * @param totalSize size of the file, in bytes
 * @param now ms since 1970
 * @returns null: the file fits
 */
export async function findOverQuota(
  quotas: Quotas,
  { downloadId, clientId }: Pick<Downloading, "downloadId" | "clientId">,
  totalSize: number,
  repository: Pick<Repository, "activeDownloads"> & { keep: Pick<KeepRows, "usedBytes"> },
  now: number,
): Promise<OverQuota | null> {
  if (quotas.file !== null && totalSize > quotas.file) {
    const largest = formatSize(quotas.file);
    const message = `the file has ${formatSize(totalSize)}, the most is ${largest}`;
    return overQuota(null, message, true);
  }
  for (const [quota, owner, holder] of [
    [quotas.perClient, clientId, `"${clientId}"`],
    [quotas.total, undefined, "all clients"],
  ] as const) {
    if (quota === null) continue;
    const active = await repository.activeDownloads();
    const others = active.filter(
      (other) =>
        other.downloadId !== downloadId && (owner === undefined || other.clientId === owner),
    );
    const reserved = others.reduce((sum, other) => sum + reservedFor(other, now), 0);
    const used = (await repository.keep.usedBytes(owner)) + reserved;
    if (used + totalSize <= quota) continue;
    const usage = `${formatSize(used)} of ${formatSize(quota)} are used`;
    return overQuota(
      owner ?? null,
      `the quota of ${holder} is too small: ${usage}, the file has ${formatSize(totalSize)}`,
      totalSize > quota,
    );
  }
  return null;
}

function overQuota(clientId: string | null, message: string, final: boolean): OverQuota {
  return { clientId, problem: { code: "storage_full", message }, final };
}
