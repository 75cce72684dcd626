/** How long a client may owe an answer without progress, in ms, before it is given up. */
const STALLED_AFTER_MS = 60_000;
/** Shortest time over which a client's rate is measured, in ms. */
const PACE_OVER_MS = 10_000;
/** Rate in bytes a second below which a client is slow. */
const LEAST_PACE = 16 * 1024;
/** Weight of a byte that the client only reads again, relative to a received one, as disks are faster. */
const PROVEN_WORTH = 1 / 8;
/** How often repeated reading of the same bytes counts. */
const MAX_READINGS = 8;

/** What is wrong with a client. */
export type Stall =
  | { type: "silent"; seconds: number }
  /** Its rate was below {@link LEAST_PACE} for this time. */
  | { type: "slow"; seconds: number; bytes: number };

/** Measures how long a client has owed an answer, and how fast its bytes arrive. Only progress counts. */
export class StallWatch {
  // Monotonic, in ms: setting the clock must not end anything.
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

  /** Counts new bytes of the file. */
  moved(bytes: number): void {
    this.#movedAt = performance.now();
    this.#moved += bytes;
  }

  /**
   * The client has read a file again, up to an offset, to prove what the server has. Only bytes that the
   * server has count, and each only a few times.
   * @param has bytes that the server has of the file
   */
  proved(offset: number, has: number): void {
    if (offset > has) return;
    // An earlier offset means another reading, as after a damaged frame.
    if (offset < this.#proven && this.#readings < MAX_READINGS) {
      this.#readings++;
      this.#proven = 0;
    }
    if (offset <= this.#proven) return;
    this.moved((offset - this.#proven) * PROVEN_WORTH);
    this.#proven = offset;
  }

  /** Forgets what the client has read again, as its next reading is of another file. */
  forgetProven(): void {
    this.#proven = 0;
    this.#readings = 1;
  }

  /**
   * Called periodically. Time counts only while the client has to act.
   * @param isClientsTurn false while the server has to read, write or grant
   * @param rateLimit bytes a second that the client may send; null: no limit
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
