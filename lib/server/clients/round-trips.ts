/** Round trips that are remembered. The least is that of the link; old ones go, as the way can change. */
const ROUND_TRIPS_KEPT = 8;

/** Pings the other side of a connection, and measures how long its answers take. */
export class RoundTrips {
  /** The latest ones, in ms. */
  readonly #latest: number[] = [];
  /** The round trip of the connection before this one, in ms. */
  #former = 0;
  // Monotonic, ms: a clock that is set must not kill anybody.
  #pingedAt = performance.now();
  #isPending = false;

  /** @param sendPing sends a ping */
  constructor(private readonly sendPing: () => void) {}

  /** The shortest round trip of the last few, in ms; 0: nothing is known of it. */
  get least(): number {
    return this.#latest.length === 0 ? this.#former : Math.min(...this.#latest);
  }

  /** How long ago the last ping was sent, in ms. */
  get sincePing(): number {
    return performance.now() - this.#pingedAt;
  }

  /** Until one is measured, it is most likely what it was at the client's last connection, in ms. */
  recall(roundTripMs: number): void {
    this.#former = roundTripMs;
  }

  ping(): void {
    this.#pingedAt = performance.now();
    this.#isPending = true;
    this.sendPing();
  }

  /** A pong came; only the first one after a ping answers it. */
  answered(): void {
    if (!this.#isPending) return;
    this.#isPending = false;
    this.#latest.push(this.sincePing);
    if (this.#latest.length > ROUND_TRIPS_KEPT) this.#latest.shift();
  }
}
