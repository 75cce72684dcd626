/** Work that is done one after the other, in the order in which it was asked for. */
export class SerialQueue {
  readonly #last = new Map<string, Promise<void>>();

  /** True when nothing runs and nothing waits. */
  get isIdle(): boolean {
    return this.#last.size === 0;
  }

  /** Whether work about something runs or waits. */
  has(about: string): boolean {
    return this.#last.has(about);
  }

  /**
   * @param about work about something else does not wait for it
   * @returns what the work gives, once all that was asked for before it is over
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

  /** Resolves when all that was asked for about something is over, failed or not; never rejects. */
  async over(about = ""): Promise<void> {
    await this.#last.get(about);
  }

  /** Resolves when all that was asked for is over, whatever it is about; never rejects. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}
