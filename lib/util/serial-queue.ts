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

  /** Reports whether work with a key runs or waits. */
  has(key: string): boolean {
    return this.#last.has(key);
  }

  /**
   * Runs work after all earlier work with the same key has ended, failed or not.
   * @param key work with different keys runs in parallel
   * @returns the result of the work
   */
  run<T>(work: () => Promise<T>, key = ""): Promise<T> {
    const running = (this.#last.get(key) ?? Promise.resolve()).then(work);
    const forget = () => {
      if (this.#last.get(key) === last) this.#last.delete(key);
    };
    const last = running.then(forget, forget);
    this.#last.set(key, last);
    return running;
  }

  /** Resolves when all work with a key has ended, failed or not. Never rejects. */
  async ended(key = ""): Promise<void> {
    await this.#last.get(key);
  }

  /** Resolves when the work of all keys has ended, failed or not. Never rejects. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}
