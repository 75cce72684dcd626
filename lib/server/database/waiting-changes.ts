import { pauses } from "../../util/fair-turns.ts";

/** Changes of a database that wait while nothing may be written, in the order of the calls. */
export class WaitingChanges {
  #line: (() => void)[] | null = null;

  /** Creates an empty queue of changes. @param now returns ms of a monotonic clock */
  constructor(private readonly now: () => number = performance.now.bind(performance)) {}

  /**
   * Puts a change in the queue, if changes wait.
   * @returns a promise that the change must await before it is made; undefined: the change need not wait
   */
  takeTurn(): Promise<void> | undefined {
    const line = this.#line;
    return line ? new Promise((resolve) => void line.push(resolve)) : undefined;
  }

  /** Makes all further changes wait, until {@link release}. */
  hold(): void {
    this.#line ??= [];
  }

  /**
   * Lets the waiting changes continue, over several rounds of the event loop, as there may be hundreds.
   * Changes that come meanwhile wait behind them.
   */
  async release(): Promise<void> {
    const pause = pauses(this.now);
    for (let next = this.#line?.shift(); next; next = this.#line?.shift()) {
      next();
      await pause();
    }
    this.#line = null;
  }
}
