import { HEADER_BYTES } from "../../protocol/frame.ts";
import type { Compressor } from "../compressor.ts";
import type { SendScheduler } from "../send-scheduler.ts";

/**
 * A frame fills no more than this part of what may be under way: the server takes whole frames, and
 * grants more as it takes them.
 */
const WINDOW_SHARE = 1 / 4;
/** Frames do not become crumbs where little is granted. */
const MIN_SHARE = 16 * 1024;

export interface FrameOutletOptions {
  stream: number;
  epoch: number;
  /** Most bytes in a frame. */
  chunkSize: number;
  /** Everything below it may be sent. */
  maxOffset: number;
  scheduler: SendScheduler;
  /** Null: frames are sent as they are. */
  compressor: Compressor | null;
}

/**
 * The way out for the bytes of a stream that are made while they are sent: within the credit, in fair
 * turns with other streams, compressed where that pays.
 */
export class FrameOutlet {
  readonly #buffer: Uint8Array<ArrayBuffer>;
  #offset = 0;
  #maxOffset: number;
  #window: number;
  #closed = false;
  /** Called when there is something new to act on. */
  #wake: () => void = () => undefined;

  constructor(private readonly options: FrameOutletOptions) {
    this.#maxOffset = this.#window = options.maxOffset;
    // The socket copies what it is given, so one buffer serves all frames.
    this.#buffer = Buffer.allocUnsafeSlow(HEADER_BYTES + options.chunkSize);
  }

  /** Where the next frame begins. */
  get offset(): number {
    return this.#offset;
  }

  /** Where the bytes of the next frame are put together, the longest that may be. */
  get body(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(HEADER_BYTES);
  }

  /** What was granted stays so, whatever comes late. */
  grant(maxOffset: number): void {
    this.#maxOffset = Math.max(this.#maxOffset, maxOffset);
    this.#window = Math.max(this.#window, maxOffset - this.#offset);
    this.#wake();
  }

  /** The next frame takes the place of an earlier one, which came damaged. */
  rewind(offset: number): void {
    this.#offset = offset;
  }

  /** Lets whoever waits go; nothing is sent any more. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** Lets whoever waits for credit look again. */
  wake(): void {
    this.#wake();
  }

  /**
   * Waits for credit.
   * @param least bytes, fewer are no use
   * @param isWanted false ends the waiting
   * @returns how many bytes the next frame may have; 0 where it is not wanted
   */
  async waitForCredit(least: number, isWanted: () => boolean): Promise<number> {
    while (!this.#closed && isWanted()) {
      const granted = this.#maxOffset - this.#offset;
      if (granted >= least) return Math.min(granted, Math.max(least, this.#frameSize()));
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return 0;
  }

  /** Sends the first bytes of {@link FrameOutlet.body}, which may be filled anew afterwards. */
  async send(length: number): Promise<void> {
    const { scheduler, compressor, stream, epoch } = this.options;
    const offset = this.#offset;
    const bytes = this.body.subarray(0, length);
    const packed = (await compressor?.pack(offset, bytes)) ?? null;
    await this.#turn();
    // Meanwhile an earlier frame may be wanted again.
    if (this.#closed || this.#offset !== offset) return;
    scheduler.send({ stream, epoch, offset }, bytes, packed);
    this.#offset += length;
  }

  /** Resolves when it is this stream's turn, or it is closed: a slow socket has no turns. */
  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        if (this.#closed) resolve();
      };
      void this.options.scheduler.next().then(resolve);
    });
  }

  #frameSize(): number {
    const share = Math.max(MIN_SHARE, Math.floor(this.#window * WINDOW_SHARE));
    return this.options.scheduler.frameSize(Math.min(this.options.chunkSize, share));
  }
}
