/** An event that functions can subscribe to. */
export class Topic<Args extends unknown[] = []> {
  readonly #listeners: ((...args: Args) => void)[] = [];

  /**
   * Adds a listener.
   * @param listener called at each later event, after the listeners that subscribed earlier
   */
  subscribe(listener: (...args: Args) => void): void {
    this.#listeners.push(listener);
  }

  /** Announces the event: calls all listeners synchronously. */
  readonly publish = (...args: Args): void => {
    for (const listener of this.#listeners) listener(...args);
  };
}
