export interface RateLimiterOptions {
  /** The number of uses of a key that are allowed at once. */
  burst: number;
  /** The time after which one more use is allowed, when the burst is used up, in ms. */
  everyMs: number;
}

/** Highest number of keys in memory. Beyond it, the least recently used key is forgotten. */
const MAX_KEYS = 10_000;

/** Limits how often an action is allowed, separately for each key such as an address, in bounded memory. */
export class RateLimiter {
  /**
   * For each key, the time at which its whole burst is available again, in ms of `now`. The key that was used
   * least recently comes first.
   */
  readonly #fullAt = new Map<string, number>();

  /** @param now returns ms of a monotonic clock */
  constructor(
    private readonly options: RateLimiterOptions,
    private readonly now: () => number = performance.now.bind(performance),
  ) {}

  /**
   * Counts one use of a key, unless the key is over its limit.
   * @returns 0 if the use was counted, otherwise the ms until the next use is allowed
   */
  take(key: string): number {
    const wait = this.waitOf(key);
    if (wait === 0) this.#set(key, this.now() + this.#msUntilFull(key) + this.options.everyMs);
    return wait;
  }

  /** Returns the ms until the next use of a key is allowed, without counting one; 0 if it is allowed now. */
  waitOf(key: string): number {
    const { burst, everyMs } = this.options;
    return Math.max(0, Math.ceil(this.#msUntilFull(key) - (burst - 1) * everyMs));
  }

  /** Undoes one counted use of a key. */
  giveBack(key: string): void {
    this.#set(key, (this.#fullAt.get(key) ?? 0) - this.options.everyMs);
  }

  #msUntilFull(key: string): number {
    return Math.max(0, (this.#fullAt.get(key) ?? 0) - this.now());
  }

  #set(key: string, fullAt: number): void {
    this.#fullAt.delete(key);
    if (fullAt <= this.now()) return;
    const [oldest] = this.#fullAt.keys();
    if (this.#fullAt.size >= MAX_KEYS && oldest !== undefined) {
      this.#fullAt.delete(oldest);
    }
    this.#fullAt.set(key, fullAt);
  }
}
