export interface RateLimiterOptions {
  /** Most that may come in a row. */
  burst: number;
  /** Then one more after this time, in ms. */
  everyMs: number;
}

/** Most keys that are remembered. The one that came the longest ago goes first. */
const MAX_KEYS = 10_000;

/** Slows down whoever does something too often, each key by itself, in bounded memory. */
export class RateLimiter {
  /** Key → when all that it did is forgotten, by `now`; in the order of the last time. */
  readonly #forgottenAt = new Map<string, number>();

  /** @param now ms, of a clock that nobody sets */
  constructor(
    private readonly options: RateLimiterOptions,
    private readonly now: () => number = performance.now.bind(performance),
  ) {}

  /**
   * Counts once more, unless it has to wait.
   * @returns how long it has to wait first, in ms; 0: it may go on
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

  /** Takes one count of a key back. */
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
