const KiB = 1024;
const MiB = 1024 * KiB;

/** The window before anything is known of the link: enough to start, little to lose. */
const FIRST_WINDOW = 1 * MiB;
/**
 * The least bytes, and the least time in ms, from which the first frames tell how fast the link is,
 * before a round trip is over. Fewer may have waited in a buffer and come at once.
 */
const BURST_BYTES = 512 * KiB;
const BURST_MS = 4;
const MIN_WINDOW = 256 * KiB;
/** 1 Gbit/s at 300 ms needs 36 MiB, so twice that is never held back. */
const MAX_WINDOW = 72 * MiB;
/** Seconds of a link's rate that cover a pause of the disk or of a busy processor. */
const SLACK_SECONDS = 0.04;
/**
 * Seconds of a link's rate that its window covers where many streams share the processors, as each has
 * its turn only now and then. At most {@link FIRST_WINDOW}, or fast streams would fill the memory with
 * bytes that wait.
 */
const TURN_SECONDS = 0.25;
/** Rates are measured over at least this long, in ms. */
const SAMPLE_MS = 20;
export interface LinkWindowOptions {
  /** The least round-trip time seen on the connection, in ms. */
  roundTripMs: () => number;
  /** What the client's link carried when it was last measured, in bytes a second; null: not known. */
  knownRate: number | null;
  /** ms, monotonic. */
  now: () => number;
}

/** Measures the link of one stream, and tells how many bytes may be under way on it. */
export class LinkWindow {
  #needed = 0;
  #modest = FIRST_WINDOW;
  #rate = 0;
  /** When the first bytes came, and how many came since. */
  #burstAt: number | undefined;
  #burstBytes = 0;
  /** Undefined until the first bytes are here: the way of the request is no part of the rate. */
  #sampleAt: number | undefined;
  #sampleBytes = 0;

  constructor(private readonly options: LinkWindowOptions) {}

  /** What the link carries as far as it was measured, in bytes a second; null: not yet. */
  get rate(): number | null {
    return this.#rate > 0 ? this.#rate : null;
  }

  /** Bytes that keep the link full; 0: the link is not known yet. */
  get needed(): number {
    return this.#needed;
  }

  /** Bytes that are given without knowing that the link needs them. */
  get modest(): number {
    return this.#modest;
  }

  /**
   * Before the first grant: a link that is known gets twice what is under way on it.
   * @param most bytes that it may have
   */
  begin(most: number): void {
    const { knownRate, roundTripMs } = this.options;
    if (!knownRate) return;
    const twice = Math.round(2 * knownRate * (roundTripMs() / 1000));
    this.#needed = Math.min(MAX_WINDOW, twice, most);
    this.#modest = modestWindow(knownRate);
  }

  /** Bytes came, which are perhaps not yet written. */
  arrived(bytes: number): void {
    if (this.#rate > 0 || this.options.knownRate) return;
    const now = this.options.now();
    // The way of the request is no part of the rate.
    if (this.#burstAt === undefined) {
      this.#burstAt = now;
      return;
    }
    this.#burstBytes += bytes;
    const elapsed = now - this.#burstAt;
    // A round trip that is shorter than a sample is not worth it.
    if (this.options.roundTripMs() <= SAMPLE_MS) return;
    if (this.#burstBytes < BURST_BYTES || elapsed < BURST_MS) return;
    this.#learn(this.#burstBytes / (elapsed / 1000));
  }

  /** Twice the bandwidth-delay product that is seen: it doubles each round trip until the link is full. */
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

/** What a stream has that shares the processors with many, whatever its link needs. */
function modestWindow(rate: number): number {
  return Math.min(FIRST_WINDOW, Math.max(MIN_WINDOW, Math.round(rate * TURN_SECONDS)));
}
