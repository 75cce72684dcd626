/** The fastest one: what takes longer than the link does saves nothing. */
const LEVEL = 1;
/** A chunk that would not become shorter by this part of it is sent as it is. */
const LEAST_SAVING = 0.03;
/** Fewer bytes are not worth the work. */
const SMALLEST = 1024;
/** A look at what is perhaps not compressible takes these bytes of a chunk. */
const SAMPLE = 64 * 1024;
/** After a look that was in vain, the next one is this far ahead, and twice as far each time. */
const FIRST_REST = 1024 * 1024;
const LONGEST_REST = 16 * 1024 * 1024;
/** How fast a file goes is measured over at least this long, in ms. */
const PERIOD_MS = 250;
/** A file that spends more of its time than this in the compressor may be faster without it. */
const BUSY_SHARE = 0.5;
/** When it was not, it is tried again after this time, in ms. */
const NEXT_TRIAL_MS = 10_000;

export interface CompressorOptions {
  compress?: (bytes: Uint8Array) => Promise<Uint8Array>;
  /** ms, monotonic. */
  now?: () => number;
}

/**
 * Decides for one file, chunk by chunk, whether its bytes are sent compressed: where it saves
 * something, and where the link is slower than the compressor.
 */
export class Compressor {
  /** True while the last chunks shrank: the next ones most likely do. */
  #trusted = false;
  /** Bytes before this offset are sent without compression. */
  #restUntil = 0;
  #rest = FIRST_REST;

  /** False while compressing was found to be slower than the link. */
  #pays = true;
  /** Bytes per ms that were sent with compression, when it was last found to be slower than the link. */
  #rateWith = 0;
  #nextTrialAt = -Infinity;
  /** Where and when the measured period began, and how long of it was spent compressing. */
  #period = { offset: 0, at: -Infinity, busyMs: 0 };
  readonly #compress: (bytes: Uint8Array) => Promise<Uint8Array>;
  readonly #now: () => number;

  constructor({ compress = zstd, now = () => performance.now() }: CompressorOptions = {}) {
    this.#compress = compress;
    this.#now = now;
  }

  /**
   * Compresses the bytes that are sent next, off the event loop.
   * @param offset where they lie in the file
   * @returns null when they are better sent as they are
   */
  async pack(offset: number, bytes: Uint8Array): Promise<Uint8Array | null> {
    this.#measure(offset);
    if (!this.#pays || offset < this.#restUntil || bytes.length < SMALLEST) return null;
    const began = this.#now();
    const packed = await this.#tryOn(bytes);
    this.#period.busyMs += this.#now() - began;
    this.#trusted = packed !== null;
    if (packed) {
      this.#rest = FIRST_REST;
    } else {
      this.#restUntil = offset + this.#rest;
      this.#rest = Math.min(LONGEST_REST, this.#rest * 2);
    }
    return packed;
  }

  async #tryOn(bytes: Uint8Array): Promise<Uint8Array | null> {
    if (!this.#trusted && bytes.length > SAMPLE) {
      const sample = bytes.subarray(0, SAMPLE);
      if (!saves(await this.#compress(sample), sample)) return null;
    }
    const packed = await this.#compress(bytes);
    return saves(packed, bytes) ? packed : null;
  }

  /**
   * Compares how fast the file goes with the compressor and without it. On a slow link the
   * compressor mostly waits, and nothing is tried.
   */
  #measure(offset: number): void {
    const now = this.#now();
    const elapsed = now - this.#period.at;
    if (elapsed < PERIOD_MS) return;
    const rate = (offset - this.#period.offset) / elapsed;
    if (!this.#pays) {
      this.#pays = rate < this.#rateWith;
      if (this.#pays) this.#nextTrialAt = now + NEXT_TRIAL_MS;
    } else if (this.#period.busyMs > elapsed * BUSY_SHARE && now >= this.#nextTrialAt) {
      this.#pays = false;
      this.#rateWith = rate;
    }
    this.#period = { offset, at: now, busyMs: 0 };
  }
}

function saves(packed: Uint8Array, bytes: Uint8Array): boolean {
  return packed.length <= bytes.length * (1 - LEAST_SAVING);
}

function zstd(bytes: Uint8Array): Promise<Uint8Array> {
  return Bun.zstdCompress(bytes, { level: LEVEL });
}
