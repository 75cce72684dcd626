import type { DailyLimit, Reservation } from "./daily-limit.ts";

/**
 * What one request takes of the bytes that may leave in a day: reserved ahead, so that nothing leaves
 * that is not on record, and given back where it did not leave.
 */
export class Allowance {
  readonly #reserved: Reservation[] = [];
  /** Bytes that are reserved and did not leave yet. */
  #left = 0;

  /**
   * @param limit null: without a limit
   * @param step bytes to reserve at a time, where more is to come: each time is a write to the disk
   */
  constructor(
    private readonly limit: DailyLimit | null,
    private readonly step = 0,
  ) {}

  /**
   * Makes sure that a number of bytes more may leave.
   * @throws FdsError `access_denied` when that is more than the day has left, or cannot be recorded
   */
  async ensure(bytes: number): Promise<void> {
    if (this.limit && bytes > this.#left) await this.#reserve(this.limit, bytes - this.#left);
  }

  /** Bytes left, for which it was made sure before; those that are sent again count again. */
  spend(bytes: number): void {
    this.#left -= bytes;
  }

  /** Gives back what did not leave. */
  async end(): Promise<void> {
    for (const reservation of this.#reserved.splice(0).toReversed()) {
      const unused = Math.min(Math.max(0, this.#left), reservation.bytes);
      this.#left -= unused;
      await reservation.giveBack(unused);
    }
  }

  async #reserve(limit: DailyLimit, missing: number): Promise<void> {
    // Less than a step may be left, and yet enough.
    const reservation =
      missing < this.step
        ? await limit.reserve(this.step).catch(() => limit.reserve(missing))
        : await limit.reserve(missing);
    this.#reserved.push(reservation);
    this.#left += reservation.bytes;
  }
}
