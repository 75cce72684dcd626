/** Work that is done one after the other, in the order in which it was asked for. */
export class SerialQueue {
  readonly #last = new Map<string, Promise<void>>();

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
}
