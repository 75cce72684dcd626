/**
 * Size of the burst that may pass after a pause, in seconds: as many bytes as the rate allows in this time.
 */
const BURST_SECONDS = 0.1;

/** Lower bound of the burst, in bytes, so that data at a slow rate is not sent in tiny pieces. */
const MIN_BURST = 1024;

/**
 * Limits a flow of bytes to a rate. Tokens are added at the rate, and each byte takes one. More tokens can be
 * taken than are available. The balance is then negative, and the next bytes wait longer.
 */
export class TokenBucket {
  #rate = Infinity;
  #tokens = Infinity;
  #filledAt: number;
  /**
   * Function that returns the present rate in bytes a second, or null for no limit. The field itself is null
   * if the rate is fixed.
   */
  #readRate: (() => number | null) | null = null;

  /**
   * @param rate bytes a second, or a function that returns the present rate; null means no limit
   * @param now returns ms of a monotonic clock
   */
  constructor(
    rate: number | null | (() => number | null),
    private readonly now: () => number = performance.now.bind(performance),
  ) {
    this.#filledAt = now();
    if (typeof rate === "function") this.#readRate = rate;
    else this.setRate(rate);
  }

  /** The rate in bytes a second; Infinity if there is no limit. */
  get rate(): number {
    this.#fill();
    return this.#rate;
  }

  /** Highest number of bytes that may pass at once after a pause. */
  get burst(): number {
    this.#fill();
    return this.#burst();
  }

  #burst(): number {
    return this.#rate === Infinity ? Infinity : Math.max(MIN_BURST, this.#rate * BURST_SECONDS);
  }

  /** Number of bytes that may pass now, rounded down; negative if more was taken than available. */
  get available(): number {
    this.#fill();
    return Math.floor(this.#tokens);
  }

  /** Replaces the rate by a fixed one. @param rate bytes a second; null means no limit */
  setRate(rate: number | null): void {
    this.#readRate = null;
    this.#fill();
    this.#applyRate(rate);
  }

  #applyRate(rate: number | null): void {
    this.#rate = rate ?? Infinity;
    // Without a limit, the number of tokens is infinite, so that bytes never wait.
    this.#tokens = rate === null ? Infinity : Math.min(this.#tokens, this.#burst());
  }

  take(bytes: number): void {
    this.#fill();
    this.#tokens -= bytes;
  }

  /**
   * Returns the ms until a number of bytes may pass. A number above the burst waits only as long as a full
   * burst, because the bucket never holds more tokens.
   */
  msUntil(bytes: number): number {
    this.#fill();
    const missing = Math.min(bytes, this.#burst()) - this.#tokens;
    return missing > 0 ? Math.ceil((missing / this.#rate) * 1000) : 0;
  }

  #fill(): void {
    const now = this.now();
    const seconds = (now - this.#filledAt) / 1000;
    this.#filledAt = now;
    if (this.#rate !== Infinity) {
      this.#tokens = Math.min(this.#burst(), this.#tokens + seconds * this.#rate);
    }
    const rate = this.#readRate?.();
    if (rate !== undefined && (rate ?? Infinity) !== this.#rate) this.#applyRate(rate);
  }
}
