/** An event with its listeners. */
export class Topic<Args extends unknown[] = []> {
  readonly #listeners: ((...args: Args) => void)[] = [];

  /** @param listener called at each event from now on, in the order of subscribing */
  subscribe(listener: (...args: Args) => void): void {
    this.#listeners.push(listener);
  }

  /** Calls every listener before it returns. */
  readonly publish = (...args: Args): void => {
    for (const listener of this.#listeners) listener(...args);
  };
}
