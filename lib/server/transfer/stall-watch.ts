/** A client that owes an answer is given up after this time, in ms, without progress. */
const STALLED_AFTER_MS = 60_000;
/** A client's pace is measured over at least this long, in ms. */
const PACE_OVER_MS = 10_000;
/** Bytes a second below which a client is slow. */
const LEAST_PACE = 16 * 1024;
/** What a byte counts that a client only reads again, beside 1 for a byte that comes: disks are faster. */
const PROVEN_WORTH = 1 / 8;
/** How often reading the same bytes again counts. */
const MAX_READINGS = 8;

/** What is wrong with a client. */
export type Stall =
  | { type: "silent"; seconds: number }
  /** Fewer bytes come than {@link LEAST_PACE}, over this time. */
  | { type: "slow"; seconds: number; bytes: number };

/** Measures how long a client has owed an answer, and how fast its bytes come. Only progress counts. */
export class StallWatch {
  // Monotonic, ms: a clock that is set must not end anything.
  #movedAt = performance.now();
  #paceFrom = performance.now();
  #judgedAt = performance.now();
  /** Bytes since `paceFrom`. */
  #moved = 0;
  /** How far the client has read again what the server has, and how often it began to. */
  #proven = 0;
  #readings = 1;

  /** Starts the clock: from now on the client owes an answer. */
  restart(): void {
    this.#movedAt = this.#paceFrom = this.#judgedAt = performance.now();
    this.#moved = 0;
    this.forgetProven();
  }

  /** New bytes of the file came. */
  moved(bytes: number): void {
    this.#movedAt = performance.now();
    this.#moved += bytes;
  }

  /**
   * The client has read a file again, up to an offset, to prove what the server has of it. Only bytes
   * that the server has count, each a few times at most.
   * @param has bytes that the server has of the file
   */
  proved(offset: number, has: number): void {
    if (offset > has) return;
    // Back at an earlier place it reads once more, as after a frame that came damaged.
    if (offset < this.#proven && this.#readings < MAX_READINGS) {
      this.#readings++;
      this.#proven = 0;
    }
    if (offset <= this.#proven) return;
    this.moved((offset - this.#proven) * PROVEN_WORTH);
    this.#proven = offset;
  }

  /** Forgets how far the client has read again: its next reading is of another file. */
  forgetProven(): void {
    this.#proven = 0;
    this.#readings = 1;
  }

  /**
   * Called now and then. Time counts only while it is the client's turn.
   * @param isClientsTurn false while it is for the server to read, to write or to grant
   * @param rateLimit bytes a second that the client may send; null: as many as it can
   * @returns null if nothing is wrong
   */
  judge(isClientsTurn: boolean, rateLimit: number | null): Stall | null {
    const now = performance.now();
    const since = now - this.#judgedAt;
    this.#judgedAt = now;
    if (!isClientsTurn) {
      this.#movedAt += since;
      this.#paceFrom += since;
      return null;
    }
    if (now - this.#movedAt > STALLED_AFTER_MS) {
      return { type: "silent", seconds: STALLED_AFTER_MS / 1000 };
    }
    const seconds = Math.round((now - this.#paceFrom) / 1000);
    if (now - this.#paceFrom < PACE_OVER_MS) return null;
    const pace = Math.min(LEAST_PACE, (rateLimit ?? Infinity) / 2);
    if (this.#moved < pace * seconds) return { type: "slow", seconds, bytes: this.#moved };
    this.#paceFrom = now;
    this.#moved = 0;
    return null;
  }
}
