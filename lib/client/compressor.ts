/**
 * The zstd level. The fastest level is used, because compression that is slower than the link saves no time.
 */
const LEVEL = 1;
/** A chunk is sent compressed only if compression saves at least this share of the chunk's bytes. */
const MIN_SAVED_SHARE = 0.03;
/** Chunks with fewer bytes than this are not compressed. */
const MIN_CHUNK_BYTES = 1024;
/** Bytes of a chunk that are compressed first, to see whether the file compresses at all. */
const SAMPLE_BYTES = 64 * 1024;
/**
 * After a chunk that did not shrink, compression is not tried for a while. The next chunk that is tried
 * begins at least this many bytes after the beginning of that chunk. The distance doubles with each further
 * chunk that does not shrink, up to MAX_PAUSE_BYTES. A chunk that shrinks resets it.
 */
const FIRST_PAUSE_BYTES = 1024 * 1024;
const MAX_PAUSE_BYTES = 16 * 1024 * 1024;
/** Shortest period, in ms, over which the transfer rate of a file is measured. */
const PERIOD_MS = 250;
/** If compression takes a larger share of the time than this, sending without compression is tried. */
const BUSY_SHARE = 0.5;
/** Time in ms before sending without compression is tried again, if the last trial was slower. */
const NEXT_TRIAL_MS = 10_000;

export interface CompressorOptions {
  compress?: (bytes: Uint8Array) => Promise<Uint8Array>;
  /** Returns a monotonic time in ms. */
  now?: () => number;
}

/**
 * Decides for each chunk of a file whether to send it compressed: only if the chunk shrinks, and if the link
 * is slower than the compressor.
 */
export class Compressor {
  /** Whether the last chunk shrank. If so, the next chunk is compressed without a sample first. */
  #lastShrank = false;
  /** Bytes before this offset of the stream are sent uncompressed. */
  #pausedUntil = 0;
  #pauseBytes = FIRST_PAUSE_BYTES;

  /** False while sending without compression is being tried, or was found to be faster. */
  #isEnabled = true;
  /**
   * Bytes of the file sent per ms with compression, measured before sending without compression was tried.
   */
  #compressedRate = 0;
  #nextTrialAt = -Infinity;
  /** The current measuring period: offset and time of its start, and the ms spent compressing since. */
  #period = { offset: 0, at: -Infinity, busyMs: 0 };
  readonly #compress: (bytes: Uint8Array) => Promise<Uint8Array>;
  readonly #now: () => number;

  constructor({ compress = zstd, now = () => performance.now() }: CompressorOptions = {}) {
    this.#compress = compress;
    this.#now = now;
  }

  /**
   * Compresses the bytes to be sent next, in another thread.
   * @param offset of the bytes in the stream
   * @returns the compressed bytes; null if the bytes should be sent uncompressed
   */
  async pack(offset: number, bytes: Uint8Array): Promise<Uint8Array | null> {
    this.#measure(offset);
    if (!this.#isEnabled || offset < this.#pausedUntil || bytes.length < MIN_CHUNK_BYTES)
      return null;
    const startedAt = this.#now();
    const packed = await this.#compressIfSmaller(bytes);
    this.#period.busyMs += this.#now() - startedAt;
    this.#lastShrank = packed !== null;
    if (packed) {
      this.#pauseBytes = FIRST_PAUSE_BYTES;
    } else {
      this.#pausedUntil = offset + this.#pauseBytes;
      this.#pauseBytes = Math.min(MAX_PAUSE_BYTES, this.#pauseBytes * 2);
    }
    return packed;
  }

  async #compressIfSmaller(bytes: Uint8Array): Promise<Uint8Array | null> {
    if (!this.#lastShrank && bytes.length > SAMPLE_BYTES) {
      const sample = bytes.subarray(0, SAMPLE_BYTES);
      if (!savesEnough(await this.#compress(sample), sample)) return null;
    }
    const packed = await this.#compress(bytes);
    return savesEnough(packed, bytes) ? packed : null;
  }

  /**
   * Compares a file's transfer rate with and without compression. On a slow link the compressor is mostly
   * idle, so no trial without compression is made.
   */
  #measure(offset: number): void {
    const now = this.#now();
    const elapsed = now - this.#period.at;
    if (elapsed < PERIOD_MS) return;
    const rate = (offset - this.#period.offset) / elapsed;
    if (!this.#isEnabled) {
      this.#isEnabled = rate < this.#compressedRate;
      if (this.#isEnabled) this.#nextTrialAt = now + NEXT_TRIAL_MS;
    } else if (this.#period.busyMs > elapsed * BUSY_SHARE && now >= this.#nextTrialAt) {
      this.#isEnabled = false;
      this.#compressedRate = rate;
    }
    this.#period = { offset, at: now, busyMs: 0 };
  }
}

function savesEnough(packed: Uint8Array, bytes: Uint8Array): boolean {
  return packed.length <= bytes.length * (1 - MIN_SAVED_SHARE);
}

function zstd(bytes: Uint8Array): Promise<Uint8Array> {
  return Bun.zstdCompress(bytes, { level: LEVEL });
}
