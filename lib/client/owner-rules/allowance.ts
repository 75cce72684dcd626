import type { DailyLimit, Reservation } from "./daily-limit.ts";

/**
 * One request's share of the site's daily limit. Bytes are reserved before they are sent, so that all sent
 * bytes are counted. Reserved bytes that were not sent are released when the request ends.
 */
export class Allowance {
  readonly #reservations: Reservation[] = [];
  /** Bytes that are reserved but were not sent yet. */
  #unspentBytes = 0;

  /**
   * @param limit the site's daily limit; null for no limit
   * @param step least number of bytes to reserve at a time. Each reservation is written to the disk, so a
   *   large step saves writes when many small files are sent.
   */
  constructor(
    private readonly limit: DailyLimit | null,
    private readonly step = 0,
  ) {}

  /**
   * Makes sure that at least this many bytes are reserved and not yet sent.
   * @throws FdsError `access_denied` when the rest of the daily limit is too small, or when a reservation
   *   cannot be recorded
   */
  async ensure(bytes: number): Promise<void> {
    if (this.limit && bytes > this.#unspentBytes)
      await this.#reserve(this.limit, bytes - this.#unspentBytes);
  }

  /** Subtracts sent bytes from those reserved by {@link Allowance.ensure}. Bytes sent twice count twice. */
  spend(bytes: number): void {
    this.#unspentBytes -= bytes;
  }

  /** Releases the reserved bytes that were not used. */
  async end(): Promise<void> {
    for (const reservation of this.#reservations.splice(0).toReversed()) {
      const unused = Math.min(Math.max(0, this.#unspentBytes), reservation.bytes);
      this.#unspentBytes -= unused;
      await reservation.giveBack(unused);
    }
  }

  async #reserve(limit: DailyLimit, missing: number): Promise<void> {
    // If less than a whole step is left of the daily limit, only the bytes that are needed now are reserved.
    const reservation =
      missing < this.step
        ? await limit.reserve(this.step).catch(() => limit.reserve(missing))
        : await limit.reserve(missing);
    this.#reservations.push(reservation);
    this.#unspentBytes += reservation.bytes;
  }
}
