/** Keeps a sample this often, in ms. */
const SAMPLE_MS = 100;

/** Measures a rate in bytes per second over the last moments. */
export class RateMeter {
  readonly #samples: { at: number; total: number }[] = [];
  #total = 0;

  /**
   * @param spanMs how far back it looks
   * @param now ms, monotonic
   */
  constructor(
    private readonly spanMs = 2000,
    private readonly now: () => number = performance.now.bind(performance),
  ) {}

  /** Counts bytes; the clock starts at the first call, which may be with 0. */
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
   * The rate; null until some time has passed.
   * @param leastMs shorter spans count as this long, so that a first burst does not look like a high rate
   */
  bytesPerSecond(leastMs = 0): number | null {
    const first = this.#samples[0];
    if (!first) return null;
    const seconds = Math.max(this.now() - first.at, leastMs) / 1000;
    return seconds > 0 ? (this.#total - first.total) / seconds : null;
  }
}
