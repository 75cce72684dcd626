import { pauses } from "../../util/fair-turns.ts";

/** Changes of a database that wait while nothing may be written, in the order of the calls. */
export class WaitingChanges {
  #queue: (() => void)[] | null = null;

  /** Creates an empty queue of changes. @param now returns ms of a monotonic clock */
  constructor(private readonly now: () => number = performance.now.bind(performance)) {}

  /**
   * Puts a change in the queue, if changes wait.
   * @returns a promise that the change must await before it is made; undefined: the change need not wait
   */
  takeTurn(): Promise<void> | undefined {
    const queue = this.#queue;
    return queue ? new Promise((resolve) => void queue.push(resolve)) : undefined;
  }

  /** Makes all further changes wait, until {@link release}. */
  hold(): void {
    this.#queue ??= [];
  }

  /**
   * Lets the waiting changes continue, over several rounds of the event loop, as there may be hundreds.
   * Changes that come meanwhile wait behind them.
   */
  async release(): Promise<void> {
    const pause = pauses(this.now);
    for (let next = this.#queue?.shift(); next; next = this.#queue?.shift()) {
      next();
      await pause();
    }
    this.#queue = null;
  }
}
