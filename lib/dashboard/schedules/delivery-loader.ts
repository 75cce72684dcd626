import type { DeliveryBoard, DeliveryRecord } from "../../api/deliveries.ts";
import { api, ApiProblem } from "../api.ts";
import type { DeliveryBook } from "./delivery-book.ts";

/** Times that are loaded at first, and by each click: a month of nights. */
export const NIGHTS = 30;

/** Deliveries after which loading stops, so that the page stays fast. */
const MAX_AT_ONCE = 100_000;

/** Shortest time between two updates, in ms. */
const LEAST_PAUSE_MS = 1_000;

/** Pause after an update, as a multiple of the time that it took, to spare the server. */
const PAUSE_FACTOR = 5;

/** Time from a change until its local time is loaded once more, in ms. */
const LOOK_AGAIN_MS = 3_000;

export interface DeliveryLoaderListener {
  /** Something was loaded. @param isAll whether everything wanted is loaded */
  onLoaded(isAll: boolean): void;
  onFailed(error: unknown): void;
}

/** Loads a schedule's board: first a month, then changes. One call at a time. */
export class DeliveryLoader {
  #schedule: string | null = null;
  /** Cursor of older times; null: there are none, or nothing was loaded. */
  #cursor: string | null = null;
  /** Number of wanted times. */
  #wanted = NIGHTS;
  /** Local times with changed deliveries. */
  readonly #changed = new Set<string>();
  /** Local times to load once more, as the server judges a delivery a moment after its download. */
  readonly #again = new Set<string>();
  #againTimer: ReturnType<typeof setTimeout> | undefined;
  /** True: load everything again. */
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

  get wanted(): number {
    return this.#wanted;
  }

  /** Loads another schedule. @param name null: none */
  show(name: string | null): void {
    if (name === this.#schedule) return;
    this.#schedule = name;
    this.#wanted = NIGHTS;
    this.#cursor = null;
    this.#changed.clear();
    this.#again.clear();
    this.book.clear();
    clearTimeout(this.#dueTimer);
    if (name !== null) this.touchAll();
  }

  older(): void {
    this.#wanted += NIGHTS;
    this.touchAll();
  }

  /** A delivery of a local time changed. */
  touch(night: string): void {
    this.#changed.add(night);
    this.#again.add(night);
    if (this.#againTimer === undefined) {
      this.#againTimer = setTimeout(() => this.#lookAgain(), LOOK_AGAIN_MS);
    }
    this.#soon(0);
  }

  /** Anything may have changed. */
  touchAll(): void {
    this.#isStale = true;
    this.#soon(0);
  }

  /** One delivery. @returns null: it does not exist any more, or another schedule is shown meanwhile */
  async one(night: string, clientId: string): Promise<DeliveryRecord | null> {
    const name = this.#schedule;
    if (name === null) return null;
    const date = night.slice(0, 10);
    const query = { client_id: clientId, from: date, to: date, limit: "1000" };
    for (let cursor: string | undefined; ;) {
      const page = await api.deliveries(name, { ...query, cursor });
      if (name !== this.#schedule) return null;
      const found = page.deliveries.find(({ scheduled_local }) => scheduled_local === night);
      if (found || page.next_cursor === null) return found ?? null;
      cursor = page.next_cursor;
    }
  }

  #lookAgain(): void {
    this.#againTimer = undefined;
    for (const night of this.#again) this.#changed.add(night);
    this.#again.clear();
    if (this.#changed.size > 0) this.#soon(0);
  }

  #soon(afterMs: number): void {
    if (this.#isLoading || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => void this.#work(), afterMs);
  }

  async #work(): Promise<void> {
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
      // The list of schedules reports that a schedule is gone.
      if (!(error instanceof ApiProblem) || error.status !== 404) this.listener.onFailed(error);
    }
    const took = performance.now() - began;
    this.#isLoading = false;
    this.#timer = undefined;
    this.#timeDue();
    const isMore = this.#isStale || this.#changed.size > 0;
    if (!isMore) return;
    this.#soon(name === this.#schedule ? Math.max(LEAST_PAUSE_MS, PAUSE_FACTOR * took) : 0);
  }

  /** Loads from the newest on, until there are as many times as wanted. Each page is shown as it comes. */
  async #loadAll(name: string): Promise<void> {
    this.#isStale = false;
    this.#changed.clear();
    const most = Math.max(this.book.size, MAX_AT_ONCE);
    let cursor: string | undefined;
    for (let [times, sites] = [0, 0]; times < this.#wanted && sites < most;) {
      const page = await this.#page(name, { cursor, limit: String(this.#wanted - times) });
      if (page === null) return;
      times += page.times.length;
      sites += page.times.reduce((sum, one) => sum + Object.values(one.clients).flat().length, 0);
      this.#cursor = page.next_cursor;
      cursor = page.next_cursor ?? undefined;
      if (cursor === undefined) break;
    }
    this.listener.onLoaded(true);
  }

  async #loadChanged(name: string): Promise<void> {
    for (const night of [...this.#changed]) {
      this.#changed.delete(night);
      if ((await this.#page(name, { from: night, to: night })) === null) return;
    }
    this.listener.onLoaded(true);
  }

  /** @returns null: another schedule was chosen meanwhile */
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

  /** Loads deliveries when they are due, as no event reports that one is missing. */
  #timeDue(): void {
    clearTimeout(this.#dueTimer);
    const due = this.book.nextDue();
    if (due === null) return;
    // If this clock is behind the server's, it asks repeatedly, but not more often than this.
    const wait = Math.min(Math.max(due - Date.now(), LEAST_PAUSE_MS), 2 ** 31 - 1);
    this.#dueTimer = setTimeout(() => {
      for (const night of this.book.overdue(Date.now())) this.touch(night);
      if (this.#changed.size === 0) this.#timeDue();
    }, wait);
  }
}
