import type { Logger } from "../../util/logger.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import type { Repository } from "../database/repository.ts";
import type { Completed } from "../download.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Storage } from "../storage/storage.ts";

/*
 * The order of removing. Each step may be done again, so that one that was cut short is finished by
 * whoever finds its row.
 *
 *   1. the row says that it is removed, which no hold allows: nobody is given its bytes any more
 *   2. of a set: what later sets share of its files counts for them
 *   3. of a set: its checksums go, which are the mark that all of it is there
 *   4. the bytes go; what later sets share stays theirs
 *   5. the row says that the bytes are gone
 */

export interface RemovalOptions {
  repository: Pick<Repository, "keep" | "sets">;
  storage: Pick<Storage, "sets" | "unpublish">;
  metrics: Metrics;
  logger: Logger;
}

/** Removes the bytes of downloads that are marked as removed: all steps but the first. */
export class Removal {
  readonly #work = new SerialQueue();

  constructor(private readonly options: RemovalOptions) {}

  /** @returns false where somebody else had finished it @throws FdsError `storage_error` */
  finish(download: Completed): Promise<boolean> {
    return this.#work.run(() => this.#finish(download), download.downloadId);
  }

  /** Resolves when no removal is running. */
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
