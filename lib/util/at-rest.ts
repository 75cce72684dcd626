/** Calls a function, such as a garbage collection, whenever the program has had nothing to do for a while. */
export class AtRest {
  #timer: Timer | undefined;

  /** @param idleMs how long the program must be without work before `run` is called, in ms */
  constructor(
    private readonly run: () => void,
    private readonly idleMs: number,
  ) {}

  /** Cancels a planned call of `run`. To be called when work begins, and when the program ends. */
  busy(): void {
    clearTimeout(this.#timer);
  }

  /** Plans a call of `run` after the time `idleMs`. To be called when no work is running any more. */
  idle(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.run, this.idleMs);
    this.#timer.unref();
  }
}
