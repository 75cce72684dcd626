/** Shortest time between two samples, in ms. */
const SAMPLE_MS = 100;

/** Measures a rate in bytes per second over a sliding window of time. */
export class RateMeter {
  readonly #samples: { at: number; total: number }[] = [];
  #total = 0;

  /**
   * @param spanMs length of the window, in ms
   * @param now returns ms of a monotonic clock
   */
  constructor(
    private readonly spanMs = 2000,
    private readonly now: () => number = performance.now.bind(performance),
  ) {}

  /** Counts bytes. The measurement starts with the first call, which may be with 0 bytes. */
  add(bytes: number): void {
    this.#total += bytes;
    const at = this.now();
    const last = this.#samples.at(-1);
    if (last && at - last.at < SAMPLE_MS) return;
    this.#samples.push({ at, total: this.#total });
    while (this.#samples.length > 2 && at - (this.#samples[0]?.at ?? at) > this.spanMs) {
      this.#samples.shift();
    }
  }

  /**
   * Returns the rate; null before the first call of {@link add}, or if no time has passed since.
   * @param minMs shortest time to divide by, in ms, so that a first burst does not look like a high rate
   */
  bytesPerSecond(minMs = 0): number | null {
    const first = this.#samples[0];
    if (!first) return null;
    const seconds = Math.max(this.now() - first.at, minMs) / 1000;
    return seconds > 0 ? (this.#total - first.total) / seconds : null;
  }
}
