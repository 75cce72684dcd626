/** Repetitions of an item beyond those that were reported one by one. */
export interface Repeated<T> {
  /** The first of them. */
  first: T;
  times: number;
  bytes: number;
}

export interface RecurrenceOptions<T> {
  /** How many with the same key are reported one by one in a span. */
  most: number;
  /** ms */
  span: number;
  /** Called at the end of a span with the repetitions of each key. */
  onRepeated: (repeated: Repeated<T>) => void;
}

/** Most keys that are counted in a span; items with further keys are all reported one by one. */
const MAX_KEYS = 10_000;

/** Counts repeated items, so that not each of them is reported. */
export class Recurrence<T> {
  readonly #counts = new Map<string, { count: number; more: Repeated<T> | null }>();
  #timer: Timer | undefined;

  constructor(private readonly options: RecurrenceOptions<T>) {}

  /** @returns true: report it by itself; false: it was counted */
  take(key: string, item: T, bytes: number): boolean {
    const known = this.#counts.get(key) ?? { count: 0, more: null };
    if (known.count === 0) {
      if (this.#counts.size >= MAX_KEYS) return true;
      this.#counts.set(key, known);
      this.#timer ??= setTimeout(() => this.end(), this.options.span).unref();
    }
    if (++known.count <= this.options.most) return true;
    known.more ??= { first: item, times: 0, bytes: 0 };
    known.more.times++;
    known.more.bytes += bytes;
    return false;
  }

  /** Ends the span: reports what was counted. The next item begins a new span. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const counts = [...this.#counts.values()];
    this.#counts.clear();
    for (const { more } of counts) if (more) this.options.onRepeated(more);
  }
}
