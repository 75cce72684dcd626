import type { StorageSpace } from "../../api/webhooks.ts";
import type { Logger } from "../../util/logger.ts";
import type { Storage } from "../storage/storage.ts";
import type { OutboxRows } from "../webhook.ts";

const LOOK_EVERY_MS = 30_000;

/** Space counts as low below this multiple of MIN_FREE_DISK, and as normal again above a larger one. */
const LOW = 2;
const ROOM = 2.5;

export interface StorageWatchOptions {
  outbox: Pick<OutboxRows, "storageIsLow" | "storageHasRoom">;
  storage: Pick<Storage, "freeSpace">;
  /** Bytes that must stay free. */
  minFreeDisk: number;
  /** Called when a message may have been written. */
  onTold: () => void;
  logger: Logger;
}

/** Notices that the disk for downloads fills up, while there is still space. */
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
