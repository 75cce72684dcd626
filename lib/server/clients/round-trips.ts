/**
 * How many measured round trips are kept. The shortest of them counts as the round trip of the link. Older
 * ones are dropped, because the route of the connection may change.
 */
const ROUND_TRIPS_KEPT = 8;

/** Pings the other side of a connection, and measures the round trips. */
export class RoundTrips {
  /** The latest measured round trips, in ms. */
  readonly #latest: number[] = [];
  /** Round trip of the client's previous connection, in ms; 0: not known. */
  #previousMs = 0;
  // The time is from a monotonic clock, in ms, so that setting the system's clock ends no connection.
  #pingedAt = performance.now();
  #isPending = false;

  /** @param sendPing sends a ping */
  constructor(private readonly sendPing: () => void) {}

  /** The shortest of the latest round trips, in ms; 0: none is known. */
  get shortestMs(): number {
    return this.#latest.length === 0 ? this.#previousMs : Math.min(...this.#latest);
  }

  /** Time since the last ping, in ms. */
  get sincePing(): number {
    return performance.now() - this.#pingedAt;
  }

  /**
   * Sets the round trip of the client's previous connection, in ms. It is used until a round trip of this
   * connection is measured.
   */
  setPrevious(roundTripMs: number): void {
    this.#previousMs = roundTripMs;
  }

  ping(): void {
    this.#pingedAt = performance.now();
    this.#isPending = true;
    this.sendPing();
  }

  /** Handles a pong. Only the first pong after a ping is measured. */
  answered(): void {
    if (!this.#isPending) return;
    this.#isPending = false;
    this.#latest.push(this.sincePing);
    if (this.#latest.length > ROUND_TRIPS_KEPT) this.#latest.shift();
  }
}
