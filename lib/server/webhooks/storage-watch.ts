import type { StorageSpace } from "../../api/webhooks.ts";
import type { Logger } from "../../util/logger.ts";
import type { Storage } from "../storage/storage.ts";
import type { OutboxRows } from "../webhook.ts";

const CHECK_EVERY_MS = 30_000;

/** Free space counts as low below 2 times MIN_FREE_DISK, and as normal again above 2.5 times. */
const LOW_FACTOR = 2;
const NORMAL_FACTOR = 2.5;

export interface StorageWatchOptions {
  outbox: Pick<OutboxRows, "storageIsLow" | "storageHasRoom">;
  storage: Pick<Storage, "freeSpace">;
  /** Bytes on the disk that must stay free. */
  minFreeDisk: number;
  /** Called when a message may have been written to the outbox. */
  onOutboxWritten: () => void;
  logger: Logger;
}

/** Reports when the disk for downloads is filling up, while there is still some space left. */
export class StorageWatch {
  #timer: Timer | undefined;

  constructor(private readonly options: StorageWatchOptions) {}

  start(): void {
    void this.check();
    this.#timer = setInterval(() => void this.check(), CHECK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async check(): Promise<void> {
    const { outbox, storage, minFreeDisk, onOutboxWritten, logger } = this.options;
    try {
      const { free, total } = await storage.freeSpace();
      if (free < LOW_FACTOR * minFreeDisk) {
        const space: StorageSpace = {
          free_bytes: free,
          size_bytes: total,
          min_free_bytes: minFreeDisk,
        };
        await outbox.storageIsLow(Date.now(), JSON.stringify(space));
        onOutboxWritten();
      } else if (free >= NORMAL_FACTOR * minFreeDisk) await outbox.storageHasRoom();
    } catch (error) {
      logger.debug(`the room of the storage is not known: ${String(error)}`);
    }
  }
}
