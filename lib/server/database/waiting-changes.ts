import { pauses } from "../../util/fair-turns.ts";

/** Changes of a database that wait while nothing may be written, in the order of the calls. */
export class WaitingChanges {
  #line: (() => void)[] | null = null;

  /** @param now ms, of a monotonic clock */
  constructor(private readonly now: () => number = performance.now.bind(performance)) {}

  /** What a change has to wait for before it is made; undefined: nothing. */
  get turn(): Promise<void> | undefined {
    const line = this.#line;
    return line ? new Promise((resolve) => void line.push(resolve)) : undefined;
  }

  /** From now on, changes wait. */
  hold(): void {
    this.#line ??= [];
  }

  /**
   * Lets the changes be made in several rounds of the event loop: there may be hundreds. Those that come
   * meanwhile wait behind them.
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
