/** How many messages without new bytes of a file a connection may send in a row, and then each second. */
export interface Allowance {
  burst: number;
  perSecond: number;
}

/**
 * How many messages may come of one connection. The messages of a client that works are few, or carry
 * a file; whoever says more only keeps the server busy.
 */
export class MessageAllowance {
  #left: number;
  #refilledAt: number;

  /** @param now ms, of a clock that nobody sets */
  constructor(
    private readonly options: Allowance,
    private readonly now: () => number = performance.now.bind(performance),
  ) {
    this.#left = options.burst;
    this.#refilledAt = now();
  }

  /** Counts one message. @returns false if it is one too many */
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
