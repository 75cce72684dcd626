/** Calls a function once no work was under way for some time, after each time of work. */
export class AtRest {
  #timer: Timer | undefined;

  /** @param after time without work, in ms */
  constructor(
    private readonly run: () => void,
    private readonly after: number,
  ) {}

  /** Work begins, or nothing is to be called any more. */
  busy(): void {
    clearTimeout(this.#timer);
  }

  /** No work is under way. */
  idle(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.run, this.after);
    this.#timer.unref();
  }
}
