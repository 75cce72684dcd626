/** Work that is done one after the other, in the order in which it was asked for. */
export class OneByOne {
  #last: Promise<unknown> = Promise.resolve();

  /** @returns what the work gives, once all that was asked for before it is over */
  run<T>(work: () => Promise<T>): Promise<T> {
    const running = this.#last.then(work);
    this.#last = running.catch(() => undefined);
    return running;
  }
}
