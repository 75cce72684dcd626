/**
 * How many messages a connection may send at once, and per second after that. Frames with new bytes do not
 * count.
 */
export interface Allowance {
  burst: number;
  perSecond: number;
}

/**
 * Limits the messages of one connection. A working client sends few messages, or frames with new bytes;
 * anything beyond that only keeps the server busy.
 */
export class MessageAllowance {
  #left: number;
  #refilledAt: number;

  /** @param now ms, of a monotonic clock */
  constructor(
    private readonly options: Allowance,
    private readonly now: () => number = performance.now.bind(performance),
  ) {
    this.#left = options.burst;
    this.#refilledAt = now();
  }

  /** Counts a message. @returns false where it exceeds the limit */
  take(): boolean {
    if (this.#left < 1) this.#refill();
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }

  #refill(): void {
    const { burst, perSecond } = this.options;
    const now = this.now();
    const seconds = (now - this.#refilledAt) / 1000;
    this.#refilledAt = now;
    this.#left = Math.min(burst, this.#left + seconds * perSecond);
  }
}
