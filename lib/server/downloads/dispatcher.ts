import { pauses } from "../../util/fair-turns.ts";
import type { Logger } from "../../util/logger.ts";
import type { Limits, Repository } from "../database/repository.ts";
import { type Downloading } from "../download.ts";
import { LONGEST_WAIT_MS } from "../transition.ts";
import type { Storage } from "../storage/storage.ts";

/** Where the disk is too full to begin anything, it is looked at again after this time, in ms. */
const ROOM_RECHECK_MS = 5_000;

/** Whether clients wait for a slot is looked up this often at most, in ms. */
const CROWD_RECHECK_MS = 2_000;

/** Clients whose last turn is remembered; those before them come first, as who never had one. */
const MOST_REMEMBERED = 10_000;

export interface DispatcherOptions {
  repository: Pick<
    Repository,
    "clientsWithDueDownloads" | "claimDownload" | "countActive" | "nextDueAt"
  >;
  storage: Pick<Storage, "freeSpace">;
  limits: Limits;
  /** Bytes that must stay free on the disk. */
  minFreeDisk: number;
  isConnected: (clientId: string) => boolean;
  /** How many downloads of a client run. */
  runningOf: (clientId: string) => number;
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
  /** Clients in the order in which a download of theirs was last started. */
  readonly #served = new Map<string, number>();
  #servings = 0;
  /** What was last found. */
  #crowded = { lookedAt: 0, answer: Promise.resolve(false) };

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

  /** Whether a client that is connected waits for a slot that others have. */
  async isCrowded(): Promise<boolean> {
    const { repository, limits, isConnected, runningOf } = this.options;
    const now = Date.now();
    // Many may ask at once, and the queue may be long.
    if (Math.abs(now - this.#crowded.lookedAt) > CROWD_RECHECK_MS) {
      const waiting = repository
        .clientsWithDueDownloads(now)
        .then((ids) => ids.some((id) => isConnected(id) && runningOf(id) < limits.perClient));
      this.#crowded = { lookedAt: now, answer: waiting };
    }
    return this.#crowded.answer;
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
    const { repository, storage, minFreeDisk, isConnected, logger } = this.options;
    const now = Date.now();
    const free = await this.#freeSlots();
    // While none is free the queue, which may be long, is nobody's concern.
    const ids = free > 0 ? await repository.clientsWithDueDownloads(now) : [];
    const due = ids.filter(isConnected);
    // Who had a slot the longest ago comes first, or an old queue would get each one that is free.
    const waiting = due.toSorted((a, b) => this.#servedAt(a) - this.#servedAt(b));
    if (waiting.length > 0 && (await storage.freeSpace()).free < minFreeDisk) {
      logger.warn("downloads wait: the disk is too full to begin any");
      return this.wake(now + ROOM_RECHECK_MS);
    }
    await this.#startSome(waiting, free);
    // After the moment that this began at: what became due meanwhile was not looked for.
    const next = await repository.nextDueAt(now);
    if (next !== null) this.wake(next);
  }

  async #freeSlots(): Promise<number> {
    const { repository, limits } = this.options;
    const active = await repository.countActive();
    return limits.total - [...active.values()].reduce((sum, count) => sum + count, 0);
  }

  /** One each in turn, so that a client with a long queue does not take all the slots. */
  async #startSome(waiting: string[], free: number): Promise<void> {
    const { repository, limits, isConnected, start } = this.options;
    const pause = pauses();
    let left = free;
    for (let clients = waiting; clients.length > 0;) {
      const more: string[] = [];
      for (const clientId of clients) {
        if (left <= 0) return;
        await pause();
        if (this.#stopped || !isConnected(clientId)) continue;
        const download = await repository.claimDownload(clientId, limits, Date.now());
        if (!download) continue;
        this.#serve(clientId);
        start(download);
        left--;
        more.push(clientId);
      }
      clients = more;
    }
  }

  #servedAt(clientId: string): number {
    return this.#served.get(clientId) ?? 0;
  }

  #serve(clientId: string): void {
    this.#served.delete(clientId);
    this.#served.set(clientId, ++this.#servings);
    const [oldest] = this.#served.keys();
    if (this.#served.size > MOST_REMEMBERED && oldest !== undefined) this.#served.delete(oldest);
  }
}
