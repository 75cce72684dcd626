import type { DeliveryRecord } from "../../api/deliveries.ts";
import { api, ApiProblem } from "../api.ts";
import type { DeliveryBook } from "./delivery-book.ts";

/** Deliveries per request, the server's maximum. */
const PAGE_SIZE = 1_000;

/** Times that are loaded at first, and by each click: a month of nights. */
export const NIGHTS = 30;

/** Deliveries after which loading stops, so that the page stays fast. */
const MAX_AT_ONCE = 40_000;

/** Shortest time between two updates, in ms. */
const LEAST_PAUSE_MS = 1_000;

/** Pause after an update, as a multiple of the time that it took, to spare the server. */
const PAUSE_FACTOR = 5;

/** Most changed sites of a day that are loaded one by one; beyond that, the whole day is loaded. */
const FEW = 3;

/** Stands for all sites of a day. */
const ALL = "all";

export interface DeliveryLoaderListener {
  /** Something was loaded. @param isAll whether everything wanted is loaded */
  onLoaded(isAll: boolean): void;
  onFailed(error: unknown): void;
}

/** Loads a schedule's deliveries: first a month, then changes. One call at a time. */
export class DeliveryLoader {
  #schedule: string | null = null;
  /** Cursor of older times; null: there are none, or nothing was loaded. */
  #cursor: string | null = null;
  /** Number of wanted times. */
  #wanted = NIGHTS;
  /** Changed sites by local date. */
  readonly #changed = new Map<string, Set<string> | typeof ALL>();
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
    this.book.clear();
    clearTimeout(this.#dueTimer);
    if (name !== null) this.touchAll();
  }

  older(): void {
    this.#wanted += NIGHTS;
    this.touchAll();
  }

  /**
   * A site's delivery changed.
   * @param night local time
   * @param clientId undefined: any site
   */
  touch(night: string, clientId?: string): void {
    const date = night.slice(0, 10);
    const sites = this.#changed.get(date) ?? new Set<string>();
    if (clientId === undefined) this.#changed.set(date, ALL);
    else if (sites !== ALL) this.#changed.set(date, sites.add(clientId));
    this.#soon(0);
  }

  /** Anything may have changed. */
  touchAll(): void {
    this.#isStale = true;
    this.#soon(0);
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
    const atFirst = this.book.size;
    let cursor: string | undefined;
    for (let loaded = 0; loaded < Math.max(atFirst, MAX_AT_ONCE); loaded += PAGE_SIZE) {
      const page = await this.#page(name, { cursor });
      if (page === null) return;
      cursor = page.next_cursor ?? undefined;
      this.#cursor = page.next_cursor;
      if (cursor === undefined || this.book.nights(Infinity).length > this.#wanted) break;
    }
    this.listener.onLoaded(true);
  }

  async #loadChanged(name: string): Promise<void> {
    for (const [date, sites] of [...this.#changed]) {
      this.#changed.delete(date);
      const some = sites !== ALL && sites.size <= FEW ? [...sites] : [undefined];
      for (const clientId of some) {
        const query = { from: date, to: date, client_id: clientId };
        for (let cursor: string | null | undefined; cursor !== null;) {
          const page = await this.#page(name, { ...query, cursor });
          if (page === null) return;
          cursor = page.next_cursor;
        }
      }
    }
    this.listener.onLoaded(true);
  }

  /** @returns null: another schedule was chosen meanwhile */
  async #page(
    name: string,
    query: {
      cursor?: string | undefined;
      from?: string;
      to?: string;
      client_id?: string | undefined;
    },
  ): Promise<{ deliveries: DeliveryRecord[]; next_cursor: string | null } | null> {
    const page = await api.deliveries(name, { ...query, limit: String(PAGE_SIZE) });
    if (name !== this.#schedule) return null;
    this.book.add(page.deliveries);
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
