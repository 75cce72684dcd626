import type { Logger } from "../../util/logger.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import type { Repository } from "../database/repository.ts";
import type { Completed } from "../download.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Storage } from "../storage/storage.ts";

/*
 * The order of removing a download's content. Each step may be repeated, so whoever finds the row of an
 * interrupted removal finishes it.
 *
 *   1. the row says that the content is removed, unless it is held; from then on no caller is given the bytes
 *   2. only a set: files that later sets share are counted for those sets
 *   3. only a set: the file of checksums is deleted, as its presence marks a set as complete
 *   4. the bytes are deleted, except those that later sets share
 *   5. the row says that the bytes are gone
 */

export interface RemovalOptions {
  repository: Pick<Repository, "keep" | "sets">;
  storage: Pick<Storage, "sets" | "unpublish">;
  metrics: Metrics;
  logger: Logger;
}

/** Finishes removals: deletes the bytes of downloads whose rows say that the content is removed. */
export class Removal {
  readonly #work = new SerialQueue();

  constructor(private readonly options: RemovalOptions) {}

  /**
   * Deletes the bytes of a download whose row says that its content is removed.
   * @returns false: the deletion was already recorded, by another server or an earlier call
   * @throws FdsError `storage_error`
   */
  finish(download: Completed): Promise<boolean> {
    return this.#work.run(() => this.#finish(download), download.downloadId);
  }

  /** Resolves when no removal runs. */
  idle(): Promise<void> {
    return this.#work.idle();
  }

  async #finish({ downloadId, clientId, savedPath, set, checksum, storedBytes }: Completed) {
    const { repository, storage, metrics, logger } = this.options;
    if (set && storage.sets.sharesBytes) await repository.sets.handOver(downloadId);
    if (savedPath !== null) {
      await (set
        ? storage.sets.unpublish(downloadId, savedPath, `.${checksum}`)
        : storage.unpublish(savedPath));
    }
    if (!(await repository.keep.bytesGone(downloadId))) return false;
    metrics.removedBytes += storedBytes;
    logger.info("content removed", { download_id: downloadId, client_id: clientId });
    return true;
  }
}
