/** Something that happens again and again, and those who want to hear of it. */
export class Topic<Args extends unknown[] = []> {
  readonly #listeners: ((...args: Args) => void)[] = [];

  /** @param listener is called each time from now on, in the order of subscribing */
  subscribe(listener: (...args: Args) => void): void {
    this.#listeners.push(listener);
  }

  /** It happens: every listener is called before this returns. */
  readonly publish = (...args: Args): void => {
    for (const listener of this.#listeners) listener(...args);
  };
}
