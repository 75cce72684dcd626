/** A client that owes an answer and gives none for this long, in ms, is given up. */
const STALLED_AFTER_MS = 60_000;

/** Measures how long a client has owed an answer. */
export class StallWatch {
  // Monotonic, ms: a clock that is set must not end anything.
  #heardAt = performance.now();

  /** The client did something that counts as an answer, or its time begins now. */
  restart(): void {
    this.#heardAt = performance.now();
  }

  /**
   * Called now and then. Time counts only while it is the client's turn.
   * @param isClientsTurn false while it is for the server to read, to write or to grant
   * @returns for how many seconds nothing came, where that is too long; else null
   */
  overdueSeconds(isClientsTurn: boolean): number | null {
    if (!isClientsTurn) this.restart();
    return performance.now() - this.#heardAt > STALLED_AFTER_MS ? STALLED_AFTER_MS / 1000 : null;
  }
}
