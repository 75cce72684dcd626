/**
 * Longest time for work in one round of the event loop, in ms. Requests and timers wait meanwhile. Hashing a
 * block of 1 MiB takes less.
 */
const ROUND_MS = 2;

/** The real setImmediate, saved before a test replaces the global one by a fake timer. */
const atNextRound = setImmediate;

/**
 * Spreads long work, in pieces of about a millisecond such as hashing a block, over many rounds of the event
 * loop, so that requests and timers run in between. All callers share one time limit for each round.
 */
export class EventLoopBudget {
  readonly #queue: (() => void)[] = [];
  /** Time that work has taken in this round of the event loop, in ms. */
  #usedMs = 0;

  /** @param now returns ms of a monotonic clock */
  constructor(private readonly now: () => number = performance.now.bind(performance)) {}

  /**
   * Does a piece of work now if this round of the event loop has time left, otherwise in a later round, in
   * the order of the calls.
   * @param work if it throws, the promise is rejected with its error
   */
  async run<T>(work: () => T): Promise<T> {
    return this.soon(work);
  }

  /**
   * Like {@link run}, but returns the result itself, without a promise, if the work is done now. That is
   * faster for very many small pieces.
   * @throws the error of the work, if the work is done now
   */
  soon<T>(work: () => T): T | Promise<T> {
    if (this.#queue.length === 0 && this.#usedMs < ROUND_MS) return this.#do(work);
    return new Promise((resolve, reject) => {
      this.#queue.push(() => {
        try {
          resolve(this.#do(work));
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #do<T>(work: () => T): T {
    if (this.#usedMs === 0) atNextRound(() => this.#beginRound());
    const start = this.now();
    try {
      return work();
    } finally {
      this.#usedMs += Math.max(this.now() - start, Number.MIN_VALUE);
    }
  }

  #beginRound(): void {
    this.#usedMs = 0;
    while (this.#usedMs < ROUND_MS && this.#queue.length > 0) this.#queue.shift()?.();
  }
}

/** The budget that all work of this process shares, as the process has one event loop. */
export const eventLoopBudget = new EventLoopBudget();
