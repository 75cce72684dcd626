import { FdsError } from "../../protocol/errors.ts";
import type { CompressedFrame, Frame } from "../../protocol/frame.ts";
import { Decompressor } from "./decompressor.ts";
import type { Metrics } from "../metrics/metrics.ts";

export interface IncomingFramesOptions {
  /** Bytes on the wire in earlier attempts. */
  bytesOnWire: number;
  /** Whether the attempt is over, so that nothing is requested again. */
  isOver: () => boolean;
  /** Called with the next bytes of the file, decompressed. The receiver owns them from then on. */
  onBytes: (bytes: Uint8Array) => void;
  /**
   * Called when the chunk at `offset` arrived damaged, for the `times`th time in a row. It has to come
   * again; until then, later frames are dropped.
   */
  onDamaged: (offset: number, times: number) => void;
  metrics: Metrics;
}

/** The frames of one attempt. Each must begin where the one before it ended, or it is not used. */
export class IncomingFrames {
  /** Where the next frame must begin. Everything below has arrived, written or not. */
  #arrived = 0;
  #bytesOnWire: number;
  readonly #decompressor = new Decompressor({
    onBytes: (bytes) => this.#pass(bytes),
    onDamaged: (frame) => this.#onDamaged(frame),
  });
  /** Bytes that arrived before the row stated the start; undefined from then on. */
  #early: Uint8Array[] | undefined = [];
  #resends = 0;
  #resending = false;

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

  /** Whether a damaged chunk has been requested again and has not arrived yet. */
  get resending(): boolean {
    return this.#resending;
  }

  /** Whether all frames so far have been decompressed. */
  get idle(): boolean {
    return this.#decompressor.idle;
  }

  /** Sets where the first frame must begin. */
  beginAt(offset: number): void {
    this.#arrived = offset;
  }

  /** Passes on what has arrived and what arrives, as the row now states the start. */
  open(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const bytes of early) this.options.onBytes(bytes);
  }

  /**
   * Takes a frame within the credit.
   * @returns true where it had new bytes; false: it was dropped
   * @throws FdsError `protocol_error` when it is not the next one
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
      // Was under way when the damaged chunk was requested again.
      if (this.#resending && frame.offset > this.#arrived) return false;
      const message = `a frame begins at ${frame.offset}, expected ${this.#arrived}`;
      throw new FdsError("protocol_error", message);
    }
    if (isDamaged) {
      metrics.resentBytes += length;
      this.#askAgain();
      return false;
    }
    this.#resending = false;
    this.#arrived += length;
    this.#decompressor.take(frame);
    return true;
  }

  /** Resolves when all frames so far have been decompressed; never rejects. */
  settled(): Promise<void> {
    return this.#decompressor.settled();
  }

  /** Stops: nothing more is passed on. */
  stop(): void {
    this.#decompressor.stop();
  }

  #pass(bytes: Uint8Array): void {
    this.#resends = 0;
    if (this.#early) this.#early.push(bytes);
    else this.options.onBytes(bytes);
  }

  /**
   * Handles a compressed chunk that does not decompress to what its header states. Damage and a lie look
   * the same, so it is treated like any other damaged chunk, and nothing of it is used.
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
    this.#resending = true;
    this.options.onDamaged(this.#arrived, ++this.#resends);
  }
}
