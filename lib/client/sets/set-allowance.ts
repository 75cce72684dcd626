import type { DailyLimit, Reservation } from "../owner-rules/daily-limit.ts";

/** So many bytes are reserved at a time: each time is a write to the disk. */
const STEP = 16 * 1024 * 1024;

/** What a set takes of the bytes that may leave in a day: in steps, not file by file. */
export class SetAllowance {
  readonly #reserved: { reservation: Reservation; bytes: number }[] = [];
  #left = 0;

  /** @param limit null: without a limit */
  constructor(private readonly limit: DailyLimit | null) {}

  /** Takes bytes of a file. @throws FdsError `access_denied` when more is asked than the day has left */
  async take(bytes: number): Promise<void> {
    if (!this.limit) return;
    if (bytes > this.#left) await this.#reserve(this.limit, bytes - this.#left);
    this.#left -= bytes;
  }

  /** Gives back what was not taken. */
  async end(): Promise<void> {
    for (const { reservation, bytes } of this.#reserved.splice(0).toReversed()) {
      const unused = Math.min(this.#left, bytes);
      this.#left -= unused;
      await reservation.end(bytes - unused);
    }
  }

  async #reserve(limit: DailyLimit, missing: number): Promise<void> {
    // Less than a step may be left, and yet enough.
    for (const bytes of [Math.max(STEP, missing), missing]) {
      const reservation = await limit.reserve(bytes).catch((error: unknown) => {
        if (bytes === missing) throw error;
        return null;
      });
      if (!reservation) continue;
      this.#reserved.push({ reservation, bytes });
      this.#left += bytes;
      return;
    }
  }
}
