import { HEADER_BYTES } from "../../protocol/frame.ts";
import type { Compressor } from "../compressor.ts";
import { CreditWindow } from "../credit-window.ts";
import type { SendScheduler } from "../send-scheduler.ts";

export interface FrameOutletOptions {
  stream: number;
  epoch: number;
  /** Most bytes in a frame. */
  chunkSize: number;
  /** Everything below this offset may be sent. */
  maxOffset: number;
  scheduler: SendScheduler;
  /** Null: frames are sent uncompressed. */
  compressor: Compressor | null;
}

/**
 * Sends the bytes of a stream that are made while they are sent: within the credit, in fair turns with
 * other streams, compressed where that pays.
 */
export class FrameOutlet {
  readonly #buffer: Uint8Array<ArrayBuffer>;
  #offset = 0;
  readonly #credit: CreditWindow;
  #closed = false;
  /** Called when there is something new to do. */
  #wake: () => void = () => undefined;

  constructor(private readonly options: FrameOutletOptions) {
    this.#credit = new CreditWindow(options.maxOffset, 0);
    // The socket copies the bytes, so one buffer serves all frames.
    this.#buffer = Buffer.allocUnsafeSlow(HEADER_BYTES + options.chunkSize);
  }

  /** Offset of the next frame. */
  get offset(): number {
    return this.#offset;
  }

  /** Where the bytes of the next frame are put together; it has the longest frame's size. */
  get body(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(HEADER_BYTES);
  }

  /** See {@link CreditWindow.grant}. */
  grant(maxOffset: number): void {
    this.#credit.grant(maxOffset, this.#offset);
    this.#wake();
  }

  /** Goes back to the offset of an earlier frame, which arrived damaged. */
  rewind(offset: number): void {
    this.#offset = offset;
  }

  /** Releases whoever waits; nothing is sent any more. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** Lets whoever waits for credit check again. */
  wake(): void {
    this.#wake();
  }

  /**
   * Waits for credit.
   * @param least bytes; fewer are not enough
   * @param isWanted false ends the wait
   * @returns how many bytes the next frame may have; 0 where it is no longer wanted
   */
  async waitForCredit(least: number, isWanted: () => boolean): Promise<number> {
    while (!this.#closed && isWanted()) {
      const granted = this.#credit.maxOffset - this.#offset;
      if (granted >= least) return Math.min(granted, Math.max(least, this.#frameSize()));
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return 0;
  }

  /**
   * Sends a frame.
   * @param bytes a part of {@link FrameOutlet.body}, or others with room for a header before them in their
   *   buffer; they may be overwritten afterwards
   */
  async send(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { scheduler, compressor, stream, epoch } = this.options;
    const offset = this.#offset;
    const packed = (await compressor?.pack(offset, bytes)) ?? null;
    await this.#turn();
    // An earlier frame may be wanted again by now.
    if (this.#closed || this.#offset !== offset) return;
    scheduler.send({ stream, epoch, offset }, bytes, packed);
    this.#offset += bytes.length;
  }

  /** Resolves at this stream's turn, or when it is closed, as a slow socket gives no turns. */
  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        if (this.#closed) resolve();
      };
      void this.options.scheduler.next().then(resolve);
    });
  }

  #frameSize(): number {
    return this.options.scheduler.frameSize(this.#credit.frameSize(this.options.chunkSize));
  }
}
