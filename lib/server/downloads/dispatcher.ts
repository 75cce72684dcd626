import type { Logger } from "../../util/logger.ts";
import type { Limits, Repository } from "../database/repository.ts";
import { type Downloading, LONGEST_WAIT_MS } from "../download.ts";
import type { Storage } from "../storage/storage.ts";

/** Where the disk is too full to begin anything, it is looked at again after this time, in ms. */
const ROOM_RECHECK_MS = 5_000;

export interface DispatcherOptions {
  repository: Pick<Repository, "clientsWithDueDownloads" | "claimDownload" | "nextDueAt">;
  storage: Pick<Storage, "room">;
  limits: Limits;
  /** Bytes that must stay free on the disk. */
  minFreeDisk: number;
  isConnected: (clientId: string) => boolean;
  /** Takes over a download that was claimed. */
  start: (download: Downloading) => void;
  logger: Logger;
}

/**
 * Takes queued downloads to their clients: the one path by which a download starts, be it new,
 * tried again, or found at start. It is woken by a new row, a client that registers, a download
 * that ends and a time that comes; then it claims until nothing more can be claimed.
 */
export class Dispatcher {
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #timer: Timer | undefined;
  #timerAt = Infinity;

  constructor(private readonly options: DispatcherOptions) {}

  /** Looks at the queue at a time (ms since 1970), or now if that is past. */
  wake(at = 0): void {
    if (this.#stopped) return;
    const wait = Math.min(at - Date.now(), LONGEST_WAIT_MS);
    if (wait > 0) return this.#wakeAt(at, wait);
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = this.#dispatch()
      .catch((error: unknown) => {
        this.options.logger.error("the queue could not be read", {}, error);
        this.wake(Date.now() + ROOM_RECHECK_MS);
      })
      .finally(() => {
        this.#running = undefined;
        if (this.#again) {
          this.#again = false;
          this.wake();
        }
      });
  }

  /** Nothing is claimed any more once this has resolved. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #wakeAt(at: number, wait: number): void {
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity;
      this.wake();
    }, wait);
  }

  async #dispatch(): Promise<void> {
    const { repository, storage, limits, minFreeDisk, isConnected, start, logger } = this.options;
    const now = Date.now();
    const waiting = (await repository.clientsWithDueDownloads(now)).filter(isConnected);
    if (waiting.length > 0 && (await storage.room()).free < minFreeDisk) {
      logger.warn("downloads wait: the disk is too full to begin any");
      return this.wake(now + ROOM_RECHECK_MS);
    }
    // One each in turn, so that a client with a long queue does not take all the slots.
    for (let clients = waiting; clients.length > 0;) {
      const more: string[] = [];
      for (const clientId of clients) {
        if (this.#stopped || !isConnected(clientId)) continue;
        const download = await repository.claimDownload(clientId, limits, Date.now());
        if (!download) continue;
        start(download);
        more.push(clientId);
      }
      clients = more;
    }
    // After the moment that this began at: what became due meanwhile was not looked for.
    const next = await repository.nextDueAt(now);
    if (next !== null) this.wake(next);
  }
}
