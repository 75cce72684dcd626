export interface RateLimiterOptions {
  /** How many may come at once. */
  burst: number;
  /** After that, one more each time this has passed, in ms. */
  everyMs: number;
}

/** Most keys that are remembered; the one that came the longest ago is dropped first. */
const MAX_KEYS = 10_000;

/** Limits how often something may be done, for each key by itself, in bounded memory. */
export class RateLimiter {
  /** Key → time, by `now`, at which its debt is paid and it is forgotten; ordered by the last use. */
  readonly #forgottenAt = new Map<string, number>();

  /** @param now ms, of a monotonic clock */
  constructor(
    private readonly options: RateLimiterOptions,
    private readonly now: () => number = performance.now.bind(performance),
  ) {}

  /**
   * Counts one use, unless the key has to wait.
   * @returns how long it has to wait first, in ms; 0: it was counted
   */
  take(key: string): number {
    const wait = this.waitOf(key);
    if (wait === 0) this.#set(key, this.now() + this.#left(key) + this.options.everyMs);
    return wait;
  }

  /** How long a key has to wait, in ms; 0: not at all. */
  waitOf(key: string): number {
    const { burst, everyMs } = this.options;
    return Math.max(0, Math.ceil(this.#left(key) - (burst - 1) * everyMs));
  }

  /** Takes back one use of a key. */
  giveBack(key: string): void {
    this.#set(key, (this.#forgottenAt.get(key) ?? 0) - this.options.everyMs);
  }

  #left(key: string): number {
    return Math.max(0, (this.#forgottenAt.get(key) ?? 0) - this.now());
  }

  #set(key: string, forgottenAt: number): void {
    this.#forgottenAt.delete(key);
    if (forgottenAt <= this.now()) return;
    const [oldest] = this.#forgottenAt.keys();
    if (this.#forgottenAt.size >= MAX_KEYS && oldest !== undefined) {
      this.#forgottenAt.delete(oldest);
    }
    this.#forgottenAt.set(key, forgottenAt);
  }
}
