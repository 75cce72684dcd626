/** Time without progress after which a client that has to act is considered dead, in ms. */
const STALLED_AFTER_MS = 60_000;
/** Shortest time over which a client's rate is measured, in ms. */
const PACE_OVER_MS = 10_000;
/** Rate in bytes a second below which a client is considered slow. */
const MIN_PACE = 16 * 1024;
/**
 * A byte that the client hashes again counts as this fraction of a received byte, because disks are faster
 * than links.
 */
const PROVEN_WORTH = 1 / 8;
/** Maximum number of times that hashing the same bytes counts as progress. */
const MAX_READINGS = 8;

/** The reason why a client is considered dead or slow. */
export type Stall =
  | { type: "silent"; seconds: number }
  /**
   * The client's rate was below {@link MIN_PACE}, and also below half of its rate limit, if it has one:
   * only `bytes` counted as progress in `seconds`.
   */
  | { type: "slow"; seconds: number; bytes: number };

/**
 * Measures how long the server has waited for a client without progress, and how fast the client's bytes
 * arrive.
 */
export class StallWatch {
  // Monotonic time of the last progress, in ms. A change of the system clock must not end a transfer.
  #progressAt = performance.now();
  #paceStart = performance.now();
  #judgedAt = performance.now();
  /** Number of bytes counted as progress since the time `paceStart`. */
  #progress = 0;
  /** Offset up to which the client has hashed bytes that the server has. */
  #proven = 0;
  /** How many times the client began to hash bytes that the server has. */
  #readings = 1;

  /** Starts the timeout, because the client has to act from now on. */
  restart(): void {
    this.#progressAt = this.#paceStart = this.#judgedAt = performance.now();
    this.#progress = 0;
    this.forgetProven();
  }

  /** Counts new bytes of the file as progress. */
  addProgress(bytes: number): void {
    this.#progressAt = performance.now();
    this.#progress += bytes;
  }

  /**
   * Counts a report that the client has hashed a file up to this offset, to compare its beginning with the
   * bytes that the server has. Only these bytes count, and each of them only a few times.
   * @param storedBytes number of bytes that the server has of the file
   */
  addProven(offset: number, storedBytes: number): void {
    if (offset > storedBytes) return;
    // A lower offset means that the client began to hash the file again, for example after a damaged frame.
    if (offset < this.#proven && this.#readings < MAX_READINGS) {
      this.#readings++;
      this.#proven = 0;
    }
    if (offset <= this.#proven) return;
    this.addProgress((offset - this.#proven) * PROVEN_WORTH);
    this.#proven = offset;
  }

  /** Forgets the client's reports about hashing, because the next ones are about another file. */
  forgetProven(): void {
    this.#proven = 0;
    this.#readings = 1;
  }

  /**
   * Returns the reason why the client is considered dead or slow. Called periodically. Time counts only while
   * the server waits for the client.
   * @param isClientsTurn false while the server itself has to read, write or grant credit
   * @param rateLimit maximum rate of the client, in bytes a second; null: no limit
   * @returns null if the client is alive and fast enough
   */
  judge(isClientsTurn: boolean, rateLimit: number | null): Stall | null {
    const now = performance.now();
    const elapsed = now - this.#judgedAt;
    this.#judgedAt = now;
    if (!isClientsTurn) {
      this.#progressAt += elapsed;
      this.#paceStart += elapsed;
      return null;
    }
    if (now - this.#progressAt > STALLED_AFTER_MS) {
      return { type: "silent", seconds: STALLED_AFTER_MS / 1000 };
    }
    const seconds = Math.round((now - this.#paceStart) / 1000);
    if (now - this.#paceStart < PACE_OVER_MS) return null;
    const pace = Math.min(MIN_PACE, (rateLimit ?? Infinity) / 2);
    if (this.#progress < pace * seconds) return { type: "slow", seconds, bytes: this.#progress };
    this.#paceStart = now;
    this.#progress = 0;
    return null;
  }
}
