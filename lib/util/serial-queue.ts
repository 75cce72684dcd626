/**
 * Runs asynchronous functions one after the other, in the order of the calls. Each key has a queue of its
 * own.
 */
export class SerialQueue {
  readonly #last = new Map<string, Promise<void>>();

  /** True if no work runs or waits, for any key. */
  get isIdle(): boolean {
    return this.#last.size === 0;
  }

  /** Reports whether work with the key `about` runs or waits. */
  has(about: string): boolean {
    return this.#last.has(about);
  }

  /**
   * Runs work after all earlier work with the same key has ended, failed or not.
   * @param about the key; work with different keys runs in parallel
   * @returns the result of the work
   */
  run<T>(work: () => Promise<T>, about = ""): Promise<T> {
    const running = (this.#last.get(about) ?? Promise.resolve()).then(work);
    const over = () => {
      if (this.#last.get(about) === last) this.#last.delete(about);
    };
    const last = running.then(over, over);
    this.#last.set(about, last);
    return running;
  }

  /** Resolves when all work with a key has ended, failed or not. Never rejects. */
  async over(about = ""): Promise<void> {
    await this.#last.get(about);
  }

  /** Resolves when the work of all keys has ended, failed or not. Never rejects. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}
