import type { Repository } from "../database/repository.ts";
import { type Download, hasEnded } from "../download.ts";

/** An attempt that runs on this server. */
export interface RunningAttempt {
  downloadId: string;
  receiver: {
    readonly epoch: number;
    limitRate: (rateLimit: number | null) => void;
    abandon: () => void;
  };
}

/**
 * Adjusts this server's attempts to the rows of their downloads, which other servers may have changed. An
 * attempt ends if its download has ended, waits in the queue or has another attempt. Otherwise it gets the
 * rate limit of the download's row.
 */
export async function checkAttempts(
  repository: Pick<Repository, "getDownload" | "servers">,
  running: readonly RunningAttempt[],
): Promise<void> {
  const { servers } = repository;
  if (!servers || running.length === 0) return;
  const rows = new Map((await servers.ownAttempts()).map((row) => [row.downloadId, row]));
  for (const { downloadId, receiver } of running) {
    const row = rows.get(downloadId);
    if (row?.epoch === receiver.epoch) receiver.limitRate(row.rateLimit);
    // The list read above may lack a download although its attempt still runs, so the row of the download is
    // read to decide.
    else if (await isStale(repository, downloadId, receiver.epoch)) receiver.abandon();
  }
}

/**
 * Reports whether an attempt's bytes are no longer needed, because its download has ended, for example
 * because it was cancelled or another server completed it.
 * @param hasItAll true: the attempt received everything, so it may have completed the download itself. An end
 *   that was recorded under the attempt's epoch then does not count
 */
export async function isNoMoreWanted(
  repository: Pick<Repository, "getDownload" | "servers">,
  { downloadId, epoch }: Pick<Download, "downloadId" | "epoch">,
  hasItAll: boolean,
): Promise<boolean> {
  if (hasItAll && !repository.servers) return false;
  const row = await repository.getDownload(downloadId);
  return row !== null && hasEnded(row) && !(hasItAll && row.epoch === epoch);
}

/**
 * Reports whether this server still publishes a download. Another server may have taken over the download.
 */
export async function isPublishedHere(
  repository: Pick<Repository, "getDownload">,
  { downloadId, epoch }: Pick<Download, "downloadId" | "epoch">,
): Promise<boolean> {
  const row = await repository.getDownload(downloadId);
  return row?.status === "verifying" && row.epoch === epoch;
}

/** Reports whether an attempt is no longer the running attempt of its download. */
async function isStale(
  repository: Pick<Repository, "getDownload">,
  downloadId: string,
  epoch: number,
): Promise<boolean> {
  const row = await repository.getDownload(downloadId);
  const isRunning = row?.status === "downloading" || row?.status === "verifying";
  return !isRunning || row.epoch !== epoch;
}
