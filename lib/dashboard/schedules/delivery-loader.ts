import type { DeliveryBoard, DeliveryRecord } from "../../api/deliveries.ts";
import { api, ApiProblem } from "../api.ts";
import type { DeliveryBook } from "./delivery-book.ts";

/** Number of scheduled times that are loaded at first, and by each click on "older": a month of nights. */
export const TIMES_PER_LOAD = 30;

/** Number of loaded deliveries after which loading stops, so that the page stays fast. */
const MAX_DELIVERIES = 100_000;

/** Shortest pause between a load of deliveries and the next one, in ms. */
const MIN_PAUSE_MS = 1_000;

/** Pause after a load of deliveries, as a multiple of the time that the load took. It spares the server. */
const PAUSE_FACTOR = 5;

/**
 * Time after a change of a delivery until all deliveries of its scheduled time are loaded once more, in ms.
 */
const RELOAD_AFTER_MS = 3_000;

export interface DeliveryLoaderListener {
  /**
   * Called with false after each loaded page of deliveries, and with true once all wanted ones are loaded.
   */
  onLoaded(isAll: boolean): void;
  onFailed(error: unknown): void;
}

/** Loads the deliveries of a schedule: first those of a month, then changes. One request at a time. */
export class DeliveryLoader {
  #schedule: string | null = null;
  /** Cursor for older deliveries; null if there are none, or nothing is loaded yet. */
  #cursor: string | null = null;
  /** Number of scheduled times whose deliveries are loaded, counted from the newest. */
  #wantedTimes = TIMES_PER_LOAD;
  /** Scheduled local times whose deliveries have changed and are to be loaded again. */
  readonly #changed = new Set<string>();
  /**
   * Scheduled times whose deliveries are loaded once more some seconds after a change. The server sets the
   * status of a delivery a little later than that of its download, so the first load may come too early.
   */
  readonly #reloadLater = new Set<string>();
  #reloadTimer: ReturnType<typeof setTimeout> | undefined;
  /** True if all deliveries have to be loaded again. */
  #isStale = false;
  #isLoading = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly book: DeliveryBook,
    private readonly listener: DeliveryLoaderListener,
  ) {}

  get hasOlder(): boolean {
    return this.#cursor !== null;
  }

  get wantedTimes(): number {
    return this.#wantedTimes;
  }

  /** Loads the deliveries of another schedule. @param name null if no board is shown: nothing is loaded */
  show(name: string | null): void {
    if (name === this.#schedule) return;
    this.#schedule = name;
    this.#wantedTimes = TIMES_PER_LOAD;
    this.#cursor = null;
    this.#changed.clear();
    this.#reloadLater.clear();
    this.book.clear();
    clearTimeout(this.#dueTimer);
    if (name !== null) this.touchAll();
  }

  loadOlder(): void {
    this.#wantedTimes += TIMES_PER_LOAD;
    this.touchAll();
  }

  /** Loads the deliveries of one scheduled time again, as one of them has changed. */
  touch(localTime: string): void {
    this.#changed.add(localTime);
    this.#reloadLater.add(localTime);
    if (this.#reloadTimer === undefined) {
      this.#reloadTimer = setTimeout(() => this.#reloadChanged(), RELOAD_AFTER_MS);
    }
    this.#loadSoon(0);
  }

  /** Loads all deliveries again, as any of them may have changed. */
  touchAll(): void {
    this.#isStale = true;
    this.#loadSoon(0);
  }

  /** Loads one delivery. @returns null if it no longer exists, or another schedule was chosen meanwhile */
  async loadOne(localTime: string, clientId: string): Promise<DeliveryRecord | null> {
    const name = this.#schedule;
    if (name === null) return null;
    const date = localTime.slice(0, 10);
    const query = { client_id: clientId, from: date, to: date, limit: "1000" };
    for (let cursor: string | undefined; ;) {
      const page = await api.deliveries(name, { ...query, cursor });
      if (name !== this.#schedule) return null;
      const found = page.deliveries.find(({ scheduled_local }) => scheduled_local === localTime);
      if (found || page.next_cursor === null) return found ?? null;
      cursor = page.next_cursor;
    }
  }

  #reloadChanged(): void {
    this.#reloadTimer = undefined;
    for (const localTime of this.#reloadLater) this.#changed.add(localTime);
    this.#reloadLater.clear();
    if (this.#changed.size > 0) this.#loadSoon(0);
  }

  #loadSoon(afterMs: number): void {
    if (this.#isLoading || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => void this.#loadNow(), afterMs);
  }

  async #loadNow(): Promise<void> {
    const name = this.#schedule;
    if (name === null) {
      this.#timer = undefined;
      return;
    }
    this.#isLoading = true;
    const began = performance.now();
    try {
      if (this.#isStale) await this.#loadAll(name);
      else await this.#loadChanged(name);
    } catch (error) {
      // Status 404 means that the schedule was deleted. This is no error, and the list of schedules shows it.
      if (!(error instanceof ApiProblem) || error.status !== 404) this.listener.onFailed(error);
    }
    const tookMs = performance.now() - began;
    this.#isLoading = false;
    this.#timer = undefined;
    this.#planDueLoad();
    const hasMore = this.#isStale || this.#changed.size > 0;
    if (!hasMore) return;
    this.#loadSoon(name === this.#schedule ? Math.max(MIN_PAUSE_MS, PAUSE_FACTOR * tookMs) : 0);
  }

  /**
   * Loads the deliveries of as many scheduled times as wanted, from the newest on. Each page is shown when it
   * arrives.
   */
  async #loadAll(name: string): Promise<void> {
    this.#isStale = false;
    this.#changed.clear();
    const maxDeliveries = Math.max(this.book.size, MAX_DELIVERIES);
    let cursor: string | undefined;
    for (
      let [times, deliveries] = [0, 0];
      times < this.#wantedTimes && deliveries < maxDeliveries;
    ) {
      const page = await this.#page(name, { cursor, limit: String(this.#wantedTimes - times) });
      if (page === null) return;
      times += page.times.length;
      deliveries += page.times.reduce(
        (sum, one) => sum + Object.values(one.clients).flat().length,
        0,
      );
      this.#cursor = page.next_cursor;
      cursor = page.next_cursor ?? undefined;
      if (cursor === undefined) break;
    }
    this.listener.onLoaded(true);
  }

  async #loadChanged(name: string): Promise<void> {
    for (const localTime of [...this.#changed]) {
      this.#changed.delete(localTime);
      if ((await this.#page(name, { from: localTime, to: localTime })) === null) return;
    }
    this.listener.onLoaded(true);
  }

  /** Loads one page of deliveries. @returns null if another schedule was chosen meanwhile */
  async #page(
    name: string,
    query: { cursor?: string | undefined; limit?: string; from?: string; to?: string },
  ): Promise<DeliveryBoard | null> {
    const page = await api.board(name, query);
    if (name !== this.#schedule) return null;
    for (const time of page.times) this.book.set(time);
    this.listener.onLoaded(false);
    return page;
  }

  /** Plans to load deliveries again when they are due, as no event reports that a delivery is missing. */
  #planDueLoad(): void {
    clearTimeout(this.#dueTimer);
    const due = this.book.nextDue();
    if (due === null) return;
    // If the browser's clock is ahead of the server's, the deliveries are loaded again and again until their
    // status changes, so the wait is at least MIN_PAUSE_MS. It is at most 2^31-1 ms, the longest time that
    // setTimeout accepts.
    const wait = Math.min(Math.max(due - Date.now(), MIN_PAUSE_MS), 2 ** 31 - 1);
    this.#dueTimer = setTimeout(() => {
      for (const localTime of this.book.overdue(Date.now())) this.touch(localTime);
      if (this.#changed.size === 0) this.#planDueLoad();
    }, wait);
  }
}
