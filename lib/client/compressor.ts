/** The fastest level: compression that is slower than the link saves nothing. */
const LEVEL = 1;
/** Share by which a chunk must shrink to be sent compressed. */
const LEAST_SAVING = 0.03;
/** Chunks with fewer bytes are not compressed. */
const SMALLEST = 1024;
/** Bytes of a chunk that are compressed to see whether the file compresses at all. */
const SAMPLE = 64 * 1024;
/** Bytes until the next sample after one that did not compress; doubles each time. */
const FIRST_REST = 1024 * 1024;
const LONGEST_REST = 16 * 1024 * 1024;
/** Shortest time over which a file's rate is measured, in ms. */
const PERIOD_MS = 250;
/** A file that spends a larger share of its time in the compressor is tried without it. */
const BUSY_SHARE = 0.5;
/** Time until the next trial without compression, in ms, where the last one was slower. */
const NEXT_TRIAL_MS = 10_000;

export interface CompressorOptions {
  compress?: (bytes: Uint8Array) => Promise<Uint8Array>;
  /** ms, monotonic. */
  now?: () => number;
}

/**
 * Decides chunk by chunk whether the bytes of one file are sent compressed: only if they shrink, and if the
 * link is slower than the compressor.
 */
export class Compressor {
  /** True while the last chunks shrank, as the next ones most likely will. */
  #trusted = false;
  /** Bytes before this offset are sent without compression. */
  #restUntil = 0;
  #rest = FIRST_REST;

  /** False while compressing was found to be slower than the link. */
  #pays = true;
  /** Bytes per ms with compression, measured when it was last slower than the link. */
  #rateWith = 0;
  #nextTrialAt = -Infinity;
  /** The period that is being measured: where and when it began, and the time in it spent compressing. */
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
   * Compares the file's rate with compression and without. On a slow link the compressor mostly waits, and
   * nothing is tried.
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
