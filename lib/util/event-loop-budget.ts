/**
 * Time for long work in one round of the event loop, in ms. Calls and timers wait meanwhile. A block of
 * 1 MiB takes less.
 */
const ROUND_MS = 2;

/** The real setImmediate, kept before a test puts fake timers in its place. */
const atNextRound = setImmediate;

/**
 * A budget for work that holds the event loop for a millisecond or so at a time, like hashing a block. The
 * work of all callers is spread over the rounds of the loop, so that everything else runs in between.
 */
export class EventLoopBudget {
  readonly #line: (() => void)[] = [];
  /** Time given in this round, in ms. */
  #used = 0;

  /** @param now ms, of a monotonic clock */
  constructor(private readonly now: () => number = performance.now.bind(performance)) {}

  /**
   * Does the work now while this round has time left, else in a later round, in the order of the calls.
   * @param work may throw
   */
  async run<T>(work: () => T): Promise<T> {
    return this.soon(work);
  }

  /**
   * The same without a promise where the work is done now: for very many small pieces.
   * @throws what the work throws, where it is done now
   */
  soon<T>(work: () => T): T | Promise<T> {
    if (this.#line.length === 0 && this.#used < ROUND_MS) return this.#do(work);
    return new Promise((resolve, reject) => {
      this.#line.push(() => {
        try {
          resolve(this.#do(work));
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #do<T>(work: () => T): T {
    if (this.#used === 0) atNextRound(() => this.#beginRound());
    const start = this.now();
    try {
      return work();
    } finally {
      this.#used += Math.max(this.now() - start, Number.MIN_VALUE);
    }
  }

  #beginRound(): void {
    this.#used = 0;
    while (this.#used < ROUND_MS && this.#line.length > 0) this.#line.shift()?.();
  }
}

/** The budget of the whole process, which has one event loop. */
export const eventLoopBudget = new EventLoopBudget();
