import type { StorageSpace } from "../../api/webhooks.ts";
import type { Logger } from "../../util/logger.ts";
import type { Storage } from "../storage/storage.ts";
import type { OutboxRows } from "../webhook.ts";

const LOOK_EVERY_MS = 30_000;

/** Free space counts as low below 2 times MIN_FREE_DISK, and as normal again above 2.5 times. */
const LOW = 2;
const ROOM = 2.5;

export interface StorageWatchOptions {
  outbox: Pick<OutboxRows, "storageIsLow" | "storageHasRoom">;
  storage: Pick<Storage, "freeSpace">;
  /** Bytes on the disk that must stay free. */
  minFreeDisk: number;
  /** Called when a message may have been written to the outbox. */
  onTold: () => void;
  logger: Logger;
}

/** Reports when the disk for downloads is filling up, while there is still some space left. */
export class StorageWatch {
  #timer: Timer | undefined;

  constructor(private readonly options: StorageWatchOptions) {}

  start(): void {
    void this.look();
    this.#timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async look(): Promise<void> {
    const { outbox, storage, minFreeDisk, onTold, logger } = this.options;
    try {
      const { free, total } = await storage.freeSpace();
      if (free < LOW * minFreeDisk) {
        const space: StorageSpace = {
          free_bytes: free,
          size_bytes: total,
          min_free_bytes: minFreeDisk,
        };
        await outbox.storageIsLow(Date.now(), JSON.stringify(space));
        onTold();
      } else if (free >= ROOM * minFreeDisk) await outbox.storageHasRoom();
    } catch (error) {
      logger.debug(`the room of the storage is not known: ${String(error)}`);
    }
  }
}
