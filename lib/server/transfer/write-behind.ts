/** Pieces of work that wait for the disk at most. Their bytes stay in memory, within what was granted. */
const MOST_WAITING = 16;

/**
 * Does work on the disk in its order, while whoever hands it over goes on: the next bytes are hashed while
 * the last ones are written.
 */
export class WriteBehind {
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  /** Resolves when all work so far is done; undefined: it is. @throws the first error, for good */
  get pending(): Promise<void> | undefined {
    return this.#waiting > 0 ? this.#last : undefined;
  }

  /**
   * Takes work. After an error, no more is done.
   * @returns a promise where much work waits already: the caller must wait for it
   */
  add(work: () => Promise<void>): Promise<void> | undefined {
    const isFull = this.#waiting >= MOST_WAITING;
    const former = this.#last;
    this.#waiting++;
    this.#last = former.then(work).then(() => void this.#waiting--);
    // It is thrown to whoever waits.
    this.#last.catch(() => undefined);
    return isFull ? former : undefined;
  }

  /** Resolves when all work so far is over, failed or not. */
  async over(): Promise<void> {
    await this.#last.catch(() => undefined);
  }
}
