import { HEADER_BYTES } from "../../protocol/frame.ts";
import type { Compressor } from "../compressor.ts";
import { CreditWindow } from "../credit-window.ts";
import type { SendScheduler } from "../send-scheduler.ts";

export interface FrameOutletOptions {
  stream: number;
  epoch: number;
  /** Maximum number of bytes in a frame. */
  chunkSize: number;
  /** The stream may send all bytes below this offset. */
  maxOffset: number;
  scheduler: SendScheduler;
  /** Compresses frames; null to send frames uncompressed. */
  compressor: Compressor | null;
}

/**
 * Sends the frames of a set or a listing as they are produced. It keeps within the server's credit, takes
 * fair turns with other streams, and compresses where this saves time.
 */
export class FrameOutlet {
  readonly #buffer: Uint8Array<ArrayBuffer>;
  #offset = 0;
  readonly #credit: CreditWindow;
  #closed = false;
  /** Wakes the pending wait for credit or for a turn, if any. */
  #wake: () => void = () => undefined;

  constructor(private readonly options: FrameOutletOptions) {
    this.#credit = new CreditWindow(options.maxOffset, 0);
    // One buffer serves all frames, because the socket copies the bytes.
    this.#buffer = Buffer.allocUnsafeSlow(HEADER_BYTES + options.chunkSize);
  }

  /** Stream offset of the next frame, in bytes. */
  get offset(): number {
    return this.#offset;
  }

  /** The buffer in which the next frame is put together. It is as long as the longest frame. */
  get body(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(HEADER_BYTES);
  }

  /** Lets the stream send all bytes below an offset, see {@link CreditWindow.grant}. */
  grant(maxOffset: number): void {
    this.#credit.grant(maxOffset, this.#offset);
    this.#wake();
  }

  /** Sets the stream offset back to an earlier frame, which arrived damaged. */
  rewind(offset: number): void {
    this.#offset = offset;
  }

  /** Stops sending for good, and releases a pending wait. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** Makes a pending wait for credit check its conditions again. */
  wake(): void {
    this.#wake();
  }

  /**
   * Waits for credit.
   * @param minBytes number of bytes of credit to wait for
   * @param isWanted checked at each wake-up; false ends the wait
   * @returns the number of bytes that the next frame may have; 0 if the stream was closed or is no longer
   *   wanted
   */
  async waitForCredit(minBytes: number, isWanted: () => boolean): Promise<number> {
    while (!this.#closed && isWanted()) {
      const credit = this.#credit.maxOffset - this.#offset;
      if (credit >= minBytes) return Math.min(credit, Math.max(minBytes, this.#frameSize()));
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return 0;
  }

  /**
   * Sends a frame, once it is this stream's turn.
   * @param bytes a part of {@link FrameOutlet.body}, or of another buffer that has room for a frame header
   *   before the bytes; the buffer may be overwritten once the promise resolves
   */
  async send(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { scheduler, compressor, stream, epoch } = this.options;
    const offset = this.#offset;
    const packed = (await compressor?.pack(offset, bytes)) ?? null;
    await this.#waitForTurn();
    // While this frame was waiting for its turn, the server may have asked for an earlier frame again.
    if (this.#closed || this.#offset !== offset) return;
    scheduler.send({ stream, epoch, offset }, bytes, packed);
    this.#offset += bytes.length;
  }

  /**
   * Waits for this stream's turn to send. The wait also ends when the stream is closed, because on a slow
   * connection the turn may take long to come.
   */
  #waitForTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        if (this.#closed) resolve();
      };
      void this.options.scheduler.waitForTurn().then(resolve);
    });
  }

  #frameSize(): number {
    return this.options.scheduler.frameSize(this.#credit.frameSize(this.options.chunkSize));
  }
}
