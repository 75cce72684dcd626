import { FdsError } from "../../protocol/errors.ts";
import type { CompressedFrame, Frame } from "../../protocol/frame.ts";
import { Decompressor } from "./decompressor.ts";
import type { Metrics } from "../metrics/metrics.ts";

export interface IncomingFramesOptions {
  /** Bytes on the wire of earlier attempts. */
  bytesOnWire: number;
  /** True once the attempt is over: nothing is asked for again any more. */
  isOver: () => boolean;
  /** Gets the next bytes of the file, as they are in the file; they are the receiver's from now on. */
  onBytes: (bytes: Uint8Array) => void;
  /**
   * The chunk at `offset` came damaged, for the `times`th time in a row, and has to come again;
   * until then, what is under way behind it is dropped.
   */
  onDamaged: (offset: number, times: number) => void;
  metrics: Metrics;
}

/** The frames of one attempt: each begins where the one before it ended, or nothing of it is used. */
export class IncomingFrames {
  /** Where the next frame must begin; what lies below is here, perhaps not yet written. */
  #arrived = 0;
  #bytesOnWire: number;
  readonly #decompressor = new Decompressor({
    onBytes: (bytes) => this.#pass(bytes),
    onDamaged: (frame) => this.#onDamaged(frame),
  });
  /** What arrived before the row said where it begins; undefined from then on. */
  #early: Uint8Array[] | undefined = [];
  #resends = 0;
  #resending = false;

  constructor(private readonly options: IncomingFramesOptions) {
    this.#bytesOnWire = options.bytesOnWire;
  }

  /** Every byte below this offset has come, perhaps not yet decompressed. */
  get arrived(): number {
    return this.#arrived;
  }

  get bytesOnWire(): number {
    return this.#bytesOnWire;
  }

  /** True from when a chunk came damaged until it is here. */
  get resending(): boolean {
    return this.#resending;
  }

  /** True when every frame that was taken has been decompressed. */
  get idle(): boolean {
    return this.#decompressor.idle;
  }

  /** Says where the first frame must begin. */
  beginAt(offset: number): void {
    this.#arrived = offset;
  }

  /** The row says where it begins: hands on what has arrived, and from now on what arrives. */
  open(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const bytes of early) this.options.onBytes(bytes);
  }

  /**
   * Takes a frame of what was granted.
   * @returns whether it had new bytes, or was dropped
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
      // What was under way when the damaged chunk was asked for again.
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

  /** Resolves when every frame that was taken has been decompressed; never rejects. */
  settled(): Promise<void> {
    return this.#decompressor.settled();
  }

  /** Hands nothing on any more. */
  stop(): void {
    this.#decompressor.stop();
  }

  #pass(bytes: Uint8Array): void {
    this.#resends = 0;
    if (this.#early) this.#early.push(bytes);
    else this.options.onBytes(bytes);
  }

  /**
   * A compressed chunk does not give what its header tells of. Whether the way did that or the
   * client lies cannot be told: as with any other damaged chunk, nothing of it is used.
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
