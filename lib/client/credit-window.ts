/**
 * Largest share of the credit window that one frame may use. The server grants new credit after each whole
 * frame, so with one frame per window a long link would be idle between frames.
 */
const WINDOW_SHARE = 1 / 4;
/** Lower bound, in bytes, of the frame size that is derived from the credit window. */
const MIN_FRAME_BYTES = 16 * 1024;

/** The credit of one stream: how far the server lets the stream send. */
export class CreditWindow {
  #maxOffset: number;
  /** The largest credit so far, in bytes: the granted offset less the offset of the next byte to send. */
  #window: number;

  /**
   * @param maxOffset the stream may send all bytes below this offset
   * @param offset of the first byte to send
   */
  constructor(maxOffset: number, offset: number) {
    this.#maxOffset = maxOffset;
    this.#window = maxOffset - offset;
  }

  /** The stream may send all bytes below this offset. */
  get maxOffset(): number {
    return this.#maxOffset;
  }

  /**
   * Allows the stream to send all bytes below `maxOffset`. A lower value than before has no effect, because
   * granted credit is not taken back, as in QUIC.
   * @param offset of the next byte to be sent
   */
  grant(maxOffset: number, offset: number): void {
    this.#maxOffset = Math.max(this.#maxOffset, maxOffset);
    this.#window = Math.max(this.#window, maxOffset - offset);
  }

  /** Withdraws the credit, because the stream starts over from another offset. */
  withdraw(): void {
    this.#maxOffset = 0;
  }

  /**
   * Returns the most bytes that a frame should have.
   * @param chunkSize the limit that client and server agreed on
   */
  frameSize(chunkSize: number): number {
    return Math.min(chunkSize, Math.max(MIN_FRAME_BYTES, Math.floor(this.#window * WINDOW_SHARE)));
  }
}
