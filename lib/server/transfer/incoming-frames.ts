import { FdsError } from "../../protocol/errors.ts";
import type { CompressedFrame, Frame } from "../../protocol/frame.ts";
import { Decompressor } from "./decompressor.ts";
import type { Metrics } from "../metrics/metrics.ts";

export interface IncomingFramesOptions {
  /** Number of payload bytes received for the download by earlier attempts, as sent (compressed or not). */
  bytesOnWire: number;
  /** Reports whether the attempt is over. If so, damaged chunks are not requested again. */
  isOver: () => boolean;
  /** Called with the next decompressed bytes of the file. The callee then owns the bytes. */
  onBytes: (bytes: Uint8Array) => void;
  /**
   * Called when the chunk at `offset` arrived damaged, for the `times`th time in a row. The callee requests
   * the chunk again. Until the chunk arrives, later frames are dropped.
   */
  onDamaged: (offset: number, times: number) => void;
  metrics: Metrics;
}

/**
 * Takes the frames of one stream in order and decompresses them. Each frame must begin where the previous one
 * ended.
 */
export class IncomingFrames {
  /** Offset at which the next frame must begin. All bytes below it have arrived, written or not. */
  #arrived = 0;
  #bytesOnWire: number;
  readonly #decompressor = new Decompressor({
    onBytes: (bytes) => this.#pass(bytes),
    onDamaged: (frame) => this.#onDamaged(frame),
  });
  /**
   * Decompressed bytes that arrived before {@link IncomingFrames.open} was called, and wait for it; undefined
   * after that call.
   */
  #early: Uint8Array[] | undefined = [];
  #resends = 0;
  #isResending = false;

  constructor(private readonly options: IncomingFramesOptions) {
    this.#bytesOnWire = options.bytesOnWire;
  }

  /** All bytes below this offset have arrived, decompressed or not. */
  get arrived(): number {
    return this.#arrived;
  }

  get bytesOnWire(): number {
    return this.#bytesOnWire;
  }

  /** Whether a damaged chunk was requested again and has not arrived yet. */
  get isResending(): boolean {
    return this.#isResending;
  }

  /** Whether all frames so far have been decompressed. */
  get isIdle(): boolean {
    return this.#decompressor.isIdle;
  }

  /** Sets the offset at which the first frame must begin. */
  beginAt(offset: number): void {
    this.#arrived = offset;
  }

  /**
   * Gives the bytes that arrived so far to `onBytes`. Later bytes are given to it as soon as they are
   * decompressed.
   */
  open(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const bytes of early) this.options.onBytes(bytes);
  }

  /**
   * Takes a frame that is within the granted credit.
   * @returns true: the frame has new bytes. False: the frame was dropped
   * @throws FdsError `protocol_error` if the frame is out of order
   */
  take(frame: Frame): boolean {
    const { metrics } = this.options;
    const length = frame.rawLength;
    metrics.receivedBytes += length;
    metrics.wireBytes += frame.payload.length;
    this.#bytesOnWire += frame.payload.length;
    const isDamaged = !frame.compressed && !frame.intact;
    if (isDamaged) metrics.damagedChunks++;
    if (frame.offset !== this.#arrived) {
      metrics.resentBytes += length;
      // The client sent this frame before it saw the request to resend an earlier, damaged chunk.
      if (this.#isResending && frame.offset > this.#arrived) return false;
      const message = `a frame begins at ${frame.offset}, expected ${this.#arrived}`;
      throw new FdsError("protocol_error", message);
    }
    if (isDamaged) {
      metrics.resentBytes += length;
      this.#askAgain();
      return false;
    }
    this.#isResending = false;
    this.#arrived += length;
    this.#decompressor.take(frame);
    return true;
  }

  /** Resolves when all frames so far have been decompressed. Never rejects. */
  settled(): Promise<void> {
    return this.#decompressor.settled();
  }

  /**
   * Drops the frames that are not decompressed yet. Called at the end of an attempt, after which no frame is
   * taken any more.
   */
  stop(): void {
    this.#decompressor.stop();
  }

  #pass(bytes: Uint8Array): void {
    this.#resends = 0;
    if (this.#early) this.#early.push(bytes);
    else this.options.onBytes(bytes);
  }

  /**
   * Handles a compressed chunk that does not decompress to the length and CRC in its header. Damage and a
   * lying client look the same, so the chunk is dropped and requested again.
   */
  #onDamaged(frame: CompressedFrame): void {
    const { metrics, isOver } = this.options;
    if (isOver()) return;
    metrics.damagedChunks++;
    metrics.resentBytes += this.#arrived - frame.offset;
    this.#arrived = frame.offset;
    this.#askAgain();
  }

  #askAgain(): void {
    this.#isResending = true;
    this.options.onDamaged(this.#arrived, ++this.#resends);
  }
}
