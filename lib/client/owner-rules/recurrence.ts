/** What came again and again, beyond what is told one by one. */
export interface Repeated<T> {
  /** The first of them. */
  first: T;
  times: number;
  bytes: number;
}

export interface RecurrenceOptions<T> {
  /** So many of a key are told one by one in each span. */
  most: number;
  /** ms */
  span: number;
  /** Called at the end of a span with what came beyond that. */
  onRepeated: (repeated: Repeated<T>) => void;
}

/** Keys that are counted in a span; what has a further one is told one by one. */
const MAX_KEYS = 10_000;

/** Counts what comes again and again, so that it is not told each time. */
export class Recurrence<T> {
  readonly #counts = new Map<string, { count: number; more: Repeated<T> | null }>();
  #timer: Timer | undefined;

  constructor(private readonly options: RecurrenceOptions<T>) {}

  /** @returns whether it is to be told by itself; otherwise it is counted */
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

  /** Ends the span: what was counted is told, and the next one begins with what comes next. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const counts = [...this.#counts.values()];
    this.#counts.clear();
    for (const { more } of counts) if (more) this.options.onRepeated(more);
  }
}
