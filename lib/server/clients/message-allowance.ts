/**
 * How many messages a connection may send: `burst` at once, then `perSecond` in each second. Frames count
 * only if they are shorter than `MIN_CHUNK_SIZE`.
 */
export interface Allowance {
  burst: number;
  perSecond: number;
}

/**
 * Limits the messages of one connection. A working client sends few messages besides frames with new bytes.
 * More messages would only load the server.
 */
export class MessageAllowance {
  #remaining: number;
  #refilledAt: number;

  /** @param now returns the time of a monotonic clock, in ms */
  constructor(
    private readonly options: Allowance,
    private readonly now: () => number = performance.now.bind(performance),
  ) {
    this.#remaining = options.burst;
    this.#refilledAt = now();
  }

  /** Counts a message. @returns false: the message exceeds the limit */
  take(): boolean {
    if (this.#remaining < 1) this.#refill();
    if (this.#remaining < 1) return false;
    this.#remaining--;
    return true;
  }

  #refill(): void {
    const { burst, perSecond } = this.options;
    const now = this.now();
    const seconds = (now - this.#refilledAt) / 1000;
    this.#refilledAt = now;
    this.#remaining = Math.min(burst, this.#remaining + seconds * perSecond);
  }
}
