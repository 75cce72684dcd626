/**
 * A summary of items with the same key that were only counted, because enough items with this key had been
 * reported one by one.
 */
export interface Repeated<T> {
  /** The first item that was counted instead of reported. */
  first: T;
  times: number;
  bytes: number;
}

export interface RecurrenceOptions<T> {
  /** How many items with the same key are reported one by one in each span of time. */
  maxReported: number;
  /** Length of a span of time, in ms. */
  span: number;
  /**
   * Called at the end of a span of time, once for each key with items that were counted instead of reported.
   */
  onRepeated: (repeated: Repeated<T>) => void;
}

/**
 * Maximum number of keys for which items are counted in a span of time. Items with any further key are
 * reported one by one.
 */
const MAX_KEYS = 10_000;

/**
 * Limits how many items with the same key are reported in a span of time. Further items are counted and
 * summarized.
 */
export class Recurrence<T> {
  readonly #counts = new Map<string, { count: number; repeated: Repeated<T> | null }>();
  #timer: Timer | undefined;

  constructor(private readonly options: RecurrenceOptions<T>) {}

  /**
   * Takes an item.
   * @returns true if the caller should report the item; false if the item was counted instead
   */
  take(key: string, item: T, bytes: number): boolean {
    const counter = this.#counts.get(key) ?? { count: 0, repeated: null };
    if (counter.count === 0) {
      if (this.#counts.size >= MAX_KEYS) return true;
      this.#counts.set(key, counter);
      this.#timer ??= setTimeout(() => this.end(), this.options.span).unref();
    }
    if (++counter.count <= this.options.maxReported) return true;
    counter.repeated ??= { first: item, times: 0, bytes: 0 };
    counter.repeated.times++;
    counter.repeated.bytes += bytes;
    return false;
  }

  /**
   * Ends the span of time, and reports the summaries of the counted items. The next item begins a new span.
   */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const counts = [...this.#counts.values()];
    this.#counts.clear();
    for (const { repeated } of counts) if (repeated) this.options.onRepeated(repeated);
  }
}
