import type { Frame } from "../../protocol/frame.ts";
import { RateMeter } from "../../util/rate-meter.ts";
import type { SerialQueue } from "../../util/serial-queue.ts";
import type { Downloading } from "../download.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Part } from "../storage/storage.ts";
import type { FlowControl, StreamFlowControl } from "./flow-control.ts";
import { broken } from "./incoming-attempt.ts";
import { IncomingFrames } from "./incoming-frames.ts";
import type { ClientLink } from "./incoming-stream.ts";
import { PartWriter } from "./part-writer.ts";

export interface IncomingBytesOptions {
  part: Part;
  download: Downloading;
  link: ClientLink;
  credit: FlowControl;
  /** See {@link PartWriterOptions.checkpoints}. */
  checkpoints: SerialQueue;
  metrics: Metrics;
  /** Whether the attempt is over. */
  isOver: () => boolean;
  /** Called when the chunk at `offset` arrived damaged, for the `times`th time in a row. */
  onDamaged: (offset: number, times: number) => void;
  /** Records that everything below `durableOffset` is on the disk. */
  onDurable: (durableOffset: number) => Promise<void>;
  /** Called when the client may send everything below `maxOffset`. */
  onGrant: (maxOffset: number) => void;
  onError: (error: unknown) => void;
}

/**
 * Takes one file's bytes to its part: frames are taken in order and decompressed, their bytes are written,
 * hashed and flushed, and as many as were written are granted again.
 */
export class IncomingBytes {
  readonly #frames: IncomingFrames;
  readonly #writer: PartWriter;
  readonly #rate = new RateMeter();
  /** Set once the start of the bytes is known. */
  #flow: StreamFlowControl | undefined;
  /** The furthest offset that frames have ever reached. */
  #reached = 0;

  constructor(private readonly options: IncomingBytesOptions) {
    const { part, download, checkpoints, metrics, isOver, onDamaged, onError } = options;
    this.#frames = new IncomingFrames({
      bytesOnWire: download.bytesOnWire,
      isOver,
      onBytes: (bytes) => this.#writer.push(bytes),
      onDamaged,
      metrics,
    });
    this.#writer = new PartWriter({
      part,
      checksum: download.checksum,
      checkpoints,
      onWritten: (bytes) => {
        this.#rate.add(bytes);
        this.#flow?.wrote(bytes);
      },
      onDurable: (durableOffset) => options.onDurable(durableOffset),
      onError,
    });
  }

  /** All bytes of the file below this offset have come, written or not. */
  get arrived(): number {
    return this.#frames.arrived;
  }

  /** Bytes from the start of the file that are in the part, flushed or not. */
  get written(): number {
    return this.#writer.written;
  }

  get bytesOnWire(): number {
    return this.#frames.bytesOnWire;
  }

  get bytesPerSecond(): number | null {
    return this.#rate.bytesPerSecond();
  }

  /** Everything below this offset may be sent. */
  get maxOffset(): number {
    return this.#flow?.maxOffset ?? 0;
  }

  /** Whether other streams wait for credit that this one may hold. */
  get othersWait(): boolean {
    return this.#flow?.othersWait ?? false;
  }

  /** Whether a damaged chunk has been requested again and has not arrived yet. */
  get resending(): boolean {
    return this.#frames.resending;
  }

  /** Whether everything that came has been written. */
  get idle(): boolean {
    return this.#frames.idle && this.#writer.idle;
  }

  /**
   * Reads the part again, and grants the bytes after it.
   * @param offset durable bytes of the part; the rest is dropped
   * @param rateLimit gives the rate limit of the moment, in bytes a second; null: none
   * @returns the digest of these bytes; null where the attempt ended before it was known
   * @throws FdsError `storage_error`
   */
  async continueFrom(offset: number, rateLimit: () => number | null): Promise<string | null> {
    const { part, link, credit, isOver, onGrant } = this.options;
    const prefix = await this.#writer.continueFrom(offset, () => !isOver());
    if (isOver()) return null;
    this.#frames.beginAt(offset);
    this.#reached = offset;
    this.#flow = credit.open({
      offset,
      maxUnflushed: part.maxUnsafe,
      rateLimit: rateLimit(),
      roundTripMs: () => link.roundTripMs(),
      knownRate: link.rate,
      onGrant,
    });
    this.#flow.grant();
    return prefix;
  }

  /** The client sends the file from its first byte. The part keeps its bytes until {@link begin}. */
  restart(): void {
    this.#frames.beginAt(0);
    this.#reached = 0;
    this.#flow?.restart();
  }

  /** Empties the part, if the client begins before its end, which is then at the first byte. */
  async emptyIfBehind(offset: number): Promise<void> {
    if (offset < this.written) await this.#writer.startOver();
  }

  /** Sets the file's size, once it is known: nothing beyond it is granted. */
  endsAt(totalSize: number): void {
    this.#flow?.endsAt(totalSize);
    this.#flow?.grant();
  }

  /** Starts to write what has come and what comes, as the row now states the start. */
  begin(): void {
    this.#rate.add(0);
    this.#frames.open();
  }

  /**
   * Takes the next frame.
   * @returns whether the frame is used, and how many bytes it went beyond the furthest offset so far
   * @throws FdsError `protocol_error` when it is not the next one, or exceeds what was granted
   */
  take(frame: Frame): { isOfUse: boolean; progress: number } {
    const end = frame.offset + frame.rawLength;
    const { maxOffset } = this;
    if (end > maxOffset) throw broken(`a frame reaches beyond the ${maxOffset} bytes granted`);
    this.#flow?.arrived(frame.rawLength);
    const isOfUse = this.#frames.take(frame);
    // A repeated chunk has no new bytes, nor one that will not decompress.
    const progress = Math.max(0, this.arrived - this.#reached);
    this.#reached += progress;
    return { isOfUse, progress };
  }

  limitRate(rateLimit: number | null): void {
    this.#flow?.limitRate(rateLimit);
  }

  /** Everything below this offset is flushed, and recorded in the row. */
  flushed(durableOffset: number): void {
    this.#flow?.flushed(durableOffset);
  }

  /** Resolves when all frames so far have been decompressed. */
  settled(): Promise<void> {
    return this.#frames.settled();
  }

  /** See {@link PartWriter.seal}. */
  seal(): Promise<string> {
    return this.#writer.seal();
  }

  /**
   * Closes it with its part.
   * @param keep whether what came is still to be written and made durable
   * @throws FdsError `storage_full` or `storage_error` when that failed
   */
  async close(keep: boolean): Promise<void> {
    const { link } = this.options;
    try {
      if (!keep) this.#frames.stop();
      await this.#frames.settled();
      await this.#writer.close(keep);
    } finally {
      link.rate = this.#flow?.rate ?? link.rate;
      this.#flow?.close();
    }
  }
}
