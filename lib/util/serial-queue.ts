/** Runs work one piece after the other, in the order of the calls. */
export class SerialQueue {
  readonly #last = new Map<string, Promise<void>>();

  /** True when nothing runs and nothing waits. */
  get isIdle(): boolean {
    return this.#last.size === 0;
  }

  /** Whether work with this key runs or waits. */
  has(about: string): boolean {
    return this.#last.has(about);
  }

  /**
   * @param about key: only work with the same key waits for each other
   * @returns what the work gives, once all earlier work with its key is over
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

  /** Resolves when all work with a key is over, failed or not; never rejects. */
  async over(about = ""): Promise<void> {
    await this.#last.get(about);
  }

  /** Resolves when all work is over, whatever its key; never rejects. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}
