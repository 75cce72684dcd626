const KiB = 1024;
const MiB = 1024 * KiB;

/**
 * Window in bytes before the link's rate is known. It is large enough to start, and little is lost if the
 * link breaks.
 */
const FIRST_WINDOW = 1 * MiB;
/**
 * During the first round trip, a link's rate is estimated only after this many bytes have arrived. Fewer
 * bytes may have waited in a buffer and arrived at once, which makes the link look too fast.
 */
const BURST_BYTES = 512 * KiB;
/** During the first round trip, a link's rate is estimated only after bytes arrived for this time, in ms. */
const BURST_MS = 4;
const MIN_WINDOW = 256 * KiB;
/** Largest window, in bytes: twice the bandwidth-delay product of a link of 1 Gbit/s and 300 ms. */
const MAX_WINDOW = 72 * MiB;
/**
 * Extra window, in seconds: as many bytes as the link carries in this time. It keeps data flowing while the
 * disk or a busy processor pauses.
 */
const SLACK_SECONDS = 0.04;
/**
 * Window of a stream while many streams share the processors, in seconds: as many bytes as its link carries
 * in this time. They have to last until the server serves the stream again. The window is at most {@link
 * FIRST_WINDOW}, so that the waiting bytes of fast streams do not fill the memory.
 */
const TURN_SECONDS = 0.25;
/** Shortest time over which a rate is measured, in ms. */
const SAMPLE_MS = 20;
export interface LinkWindowOptions {
  /** Returns the shortest of the connection's latest round trips, in ms; 0: not known. */
  roundTripMs: () => number;
  /** Last measured rate of the client's link, in bytes a second; null: not known. */
  knownRate: number | null;
  /** Monotonic clock, in ms. */
  now: () => number;
}

/** Measures the rate of one stream's link, and computes the stream's window. */
export class LinkWindow {
  #neededWindow = 0;
  #modestWindow = FIRST_WINDOW;
  #rate = 0;
  /** Time at which the first bytes arrived, in ms; undefined: no bytes have arrived yet. */
  #burstAt: number | undefined;
  /** Number of bytes that arrived after the first ones. */
  #burstBytes = 0;
  /**
   * Start of the current rate sample, in ms; undefined until bytes are written. So the time between the
   * request and the first bytes does not lower the rate.
   */
  #sampleAt: number | undefined;
  #sampleBytes = 0;

  constructor(private readonly options: LinkWindowOptions) {}

  /** Measured rate of the link, in bytes a second; null: not known yet. */
  get rate(): number | null {
    return this.#rate > 0 ? this.#rate : null;
  }

  /** Window in bytes that lets the client use the link's full rate; 0: the rate is not known yet. */
  get neededWindow(): number {
    return this.#neededWindow;
  }

  /**
   * Window in bytes while many streams share the processors. It applies until the stream's link has shown
   * that it needs more.
   */
  get modestWindow(): number {
    return this.#modestWindow;
  }

  /**
   * Called before the first grant. Sets the window of a link with a known rate to twice its bandwidth-delay
   * product.
   * @param maxFirstWindow maximum window in bytes
   */
  begin(maxFirstWindow: number): void {
    const { knownRate, roundTripMs } = this.options;
    if (!knownRate) return;
    const twice = Math.round(2 * knownRate * (roundTripMs() / 1000));
    this.#neededWindow = Math.min(MAX_WINDOW, twice, maxFirstWindow);
    this.#modestWindow = modestWindow(knownRate);
  }

  /** Counts bytes that arrived, before they are written. */
  arrived(bytes: number): void {
    if (this.#rate > 0 || this.options.knownRate) return;
    const now = this.options.now();
    // The rate is measured from the first bytes on, so that the time between the request and these bytes does
    // not lower it.
    if (this.#burstAt === undefined) {
      this.#burstAt = now;
      return;
    }
    this.#burstBytes += bytes;
    const elapsed = now - this.#burstAt;
    // If the round trip is short, nothing is estimated here, because `wrote` soon measures the rate.
    if (this.options.roundTripMs() <= SAMPLE_MS) return;
    if (this.#burstBytes < BURST_BYTES || elapsed < BURST_MS) return;
    this.#learn(this.#burstBytes / (elapsed / 1000));
  }

  /**
   * Counts written bytes. After each round trip, sets the window to twice the measured bandwidth-delay
   * product. So the window doubles each time until the link is full.
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
    this.#neededWindow = Math.min(MAX_WINDOW, Math.round(rate * (2 * roundTrip + SLACK_SECONDS)));
    this.#modestWindow = modestWindow(rate);
  }
}

/**
 * Returns the window in bytes for a stream that shares the processors with many others.
 * @param rate measured rate of the link, in bytes a second
 */
function modestWindow(rate: number): number {
  return Math.min(FIRST_WINDOW, Math.max(MIN_WINDOW, Math.round(rate * TURN_SECONDS)));
}
