const KiB = 1024;
const MiB = 1024 * KiB;

/** Window before anything is known of the link: enough to start, and little to lose. */
const FIRST_WINDOW = 1 * MiB;
/**
 * Fewest bytes, and shortest time in ms, of the first frames from which the link's rate is estimated before
 * a round trip is over. Fewer bytes may have waited in a buffer and arrived at once.
 */
const BURST_BYTES = 512 * KiB;
const BURST_MS = 4;
const MIN_WINDOW = 256 * KiB;
/** Largest window. 1 Gbit/s at 300 ms needs 36 MiB, so twice that never holds anything back. */
const MAX_WINDOW = 72 * MiB;
/** Seconds of the link's rate that cover a pause of the disk or of a busy processor. */
const SLACK_SECONDS = 0.04;
/**
 * Seconds of the link's rate in a stream's window while many streams share the processors, as each gets its
 * turn only now and then. At most {@link FIRST_WINDOW}, or fast streams would fill the memory with waiting
 * bytes.
 */
const TURN_SECONDS = 0.25;
/** Shortest time over which a rate is measured, in ms. */
const SAMPLE_MS = 20;
export interface LinkWindowOptions {
  /** Shortest round trip of the connection so far, in ms. */
  roundTripMs: () => number;
  /** Last measured rate of the client's link, in bytes a second; null: not known. */
  knownRate: number | null;
  /** ms, monotonic. */
  now: () => number;
}

/** Measures the link of one stream, and computes how many bytes may be under way on it. */
export class LinkWindow {
  #needed = 0;
  #modest = FIRST_WINDOW;
  #rate = 0;
  /** When the first bytes came, and how many came since then. */
  #burstAt: number | undefined;
  #burstBytes = 0;
  /** Undefined until the first bytes arrive, as the request's way is no part of the rate. */
  #sampleAt: number | undefined;
  #sampleBytes = 0;

  constructor(private readonly options: LinkWindowOptions) {}

  /** Measured rate of the link, in bytes a second; null: not yet known. */
  get rate(): number | null {
    return this.#rate > 0 ? this.#rate : null;
  }

  /** Bytes that keep the link full; 0: not yet known. */
  get needed(): number {
    return this.#needed;
  }

  /** Bytes that are granted before it is known whether the link needs them. */
  get modest(): number {
    return this.#modest;
  }

  /**
   * Called before the first grant: a known link gets twice its bandwidth-delay product.
   * @param most bytes that it may have
   */
  begin(most: number): void {
    const { knownRate, roundTripMs } = this.options;
    if (!knownRate) return;
    const twice = Math.round(2 * knownRate * (roundTripMs() / 1000));
    this.#needed = Math.min(MAX_WINDOW, twice, most);
    this.#modest = modestWindow(knownRate);
  }

  /** Counts bytes that came, written or not. */
  arrived(bytes: number): void {
    if (this.#rate > 0 || this.options.knownRate) return;
    const now = this.options.now();
    // The request's way is no part of the rate.
    if (this.#burstAt === undefined) {
      this.#burstAt = now;
      return;
    }
    this.#burstBytes += bytes;
    const elapsed = now - this.#burstAt;
    // On a short link the first sample comes soon enough: no rate of a burst is needed.
    if (this.options.roundTripMs() <= SAMPLE_MS) return;
    if (this.#burstBytes < BURST_BYTES || elapsed < BURST_MS) return;
    this.#learn(this.#burstBytes / (elapsed / 1000));
  }

  /**
   * Sets the window to twice the bandwidth-delay product that is seen, so it doubles with each round trip
   * until the link is full.
   */
  wrote(bytes: number): void {
    if (this.#sampleAt === undefined) {
      this.#sampleAt = this.options.now();
      return;
    }
    this.#sampleBytes += bytes;
    const roundTrip = this.options.roundTripMs();
    const elapsed = this.options.now() - this.#sampleAt;
    if (elapsed < Math.max(SAMPLE_MS, roundTrip)) return;
    const sample = this.#sampleBytes / (elapsed / 1000);
    this.#sampleBytes = 0;
    this.#sampleAt = this.options.now();
    this.#learn(Math.max(sample, this.#rate * 0.8));
  }

  #learn(rate: number): void {
    this.#rate = rate;
    const roundTrip = this.options.roundTripMs() / 1000;
    this.#needed = Math.min(MAX_WINDOW, Math.round(rate * (2 * roundTrip + SLACK_SECONDS)));
    this.#modest = modestWindow(rate);
  }
}

/** Window of a stream that shares the processors with many others, whatever its link needs. */
function modestWindow(rate: number): number {
  return Math.min(FIRST_WINDOW, Math.max(MIN_WINDOW, Math.round(rate * TURN_SECONDS)));
}
