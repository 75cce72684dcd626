/**
 * Largest share of the window in one frame. The server takes whole frames and grants more with each: with a
 * single frame in the window, a long link would stand idle.
 */
const WINDOW_SHARE = 1 / 4;
/** Smallest frame where little is granted, in bytes. */
const MIN_SHARE = 16 * 1024;

/** How far the server lets a stream send. */
export class CreditWindow {
  #maxOffset: number;
  /** The most that was ever granted ahead, in bytes. */
  #window: number;

  /** @param maxOffset everything below may be sent @param offset of the first byte that is sent */
  constructor(maxOffset: number, offset: number) {
    this.#maxOffset = maxOffset;
    this.#window = maxOffset - offset;
  }

  /** Everything below this offset may be sent. */
  get maxOffset(): number {
    return this.#maxOffset;
  }

  /**
   * Grants everything below `maxOffset`. A grant is never taken back, even if messages arrive out of order.
   * @param offset of the next byte that is sent
   */
  grant(maxOffset: number, offset: number): void {
    this.#maxOffset = Math.max(this.#maxOffset, maxOffset);
    this.#window = Math.max(this.#window, maxOffset - offset);
  }

  /** Ends what was granted, as the stream begins again at another offset. */
  restart(): void {
    this.#maxOffset = 0;
  }

  /** Most bytes of a frame. @param chunkSize the agreed limit */
  frameSize(chunkSize: number): number {
    return Math.min(chunkSize, Math.max(MIN_SHARE, Math.floor(this.#window * WINDOW_SHARE)));
  }
}
