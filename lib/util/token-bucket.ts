/** Seconds of unused tokens that are kept: a burst must not make up for a longer pause. */
const BURST_SECONDS = 0.1;

/** Smallest burst, in bytes, so that a slow rate is not cut into tiny pieces. */
const MIN_BURST = 1024;

/**
 * Holds a flow to a rate, smoothly. Tokens come in at the rate, and each byte takes one. More may be taken
 * than there are; whoever does so waits afterwards.
 */
export class TokenBucket {
  #rate = Infinity;
  #tokens = Infinity;
  #filledAt: number;
  /** Gives the rate where it changes with the time of the day. */
  #rateNow: (() => number | null) | null = null;

  /**
   * @param rate bytes a second, or a function that gives the rate of the moment; null: no limit
   * @param now ms, monotonic
   */
  constructor(
    rate: number | null | (() => number | null),
    private readonly now: () => number = performance.now.bind(performance),
  ) {
    this.#filledAt = now();
    if (typeof rate === "function") this.#rateNow = rate;
    else this.limit(rate);
  }

  /** Bytes a second; Infinity without a limit. */
  get rate(): number {
    this.#fill();
    return this.#rate;
  }

  /** Most bytes that may pass at once after a pause. */
  get burst(): number {
    this.#fill();
    return this.#burst();
  }

  #burst(): number {
    return this.#rate === Infinity ? Infinity : Math.max(MIN_BURST, this.#rate * BURST_SECONDS);
  }

  /** Bytes that may pass now, a whole number; negative where more was taken than there was. */
  get available(): number {
    this.#fill();
    return Math.floor(this.#tokens);
  }

  /** Changes the rate, from now on. @param rate bytes a second; null: without a limit */
  limit(rate: number | null): void {
    this.#rateNow = null;
    this.#fill();
    this.#change(rate);
  }

  #change(rate: number | null): void {
    this.#rate = rate ?? Infinity;
    // Without a limit there are always enough tokens.
    this.#tokens = rate === null ? Infinity : Math.min(this.#tokens, this.#burst());
  }

  take(bytes: number): void {
    this.#fill();
    this.#tokens -= bytes;
  }

  /** How long until this many bytes may pass, in ms. Never more than a burst is available at once. */
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
    const rate = this.#rateNow?.();
    if (rate !== undefined && (rate ?? Infinity) !== this.#rate) this.#change(rate);
  }
}
