import type { DailyLimit, Reservation } from "./daily-limit.ts";

/**
 * The share of one request in the daily limit. Bytes are reserved before they leave, so that none leaves
 * without being counted, and what did not leave is given back.
 */
export class Allowance {
  readonly #reserved: Reservation[] = [];
  /** Bytes that are reserved but have not left yet. */
  #left = 0;

  /**
   * @param limit null: no limit
   * @param step bytes to reserve at a time where more follows, as each reservation is a write to the disk
   */
  constructor(
    private readonly limit: DailyLimit | null,
    private readonly step = 0,
  ) {}

  /**
   * Reserves enough for a number of further bytes.
   * @throws FdsError `access_denied` when that is more than is left for the day, or cannot be recorded
   */
  async ensure(bytes: number): Promise<void> {
    if (this.limit && bytes > this.#left) await this.#reserve(this.limit, bytes - this.#left);
  }

  /** Counts bytes that left, after {@link Allowance.ensure}. Bytes sent twice count twice. */
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
    // Less than a step may be left, which can still be enough.
    const reservation =
      missing < this.step
        ? await limit.reserve(this.step).catch(() => limit.reserve(missing))
        : await limit.reserve(missing);
    this.#reserved.push(reservation);
    this.#left += reservation.bytes;
  }
}
