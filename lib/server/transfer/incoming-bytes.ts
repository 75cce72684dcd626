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
  /** As {@link PartWriterOptions.checkpoints}. */
  checkpoints: SerialQueue;
  metrics: Metrics;
  /** True once the attempt is over. */
  isOver: () => boolean;
  /** Called where the chunk at `offset` came damaged, for the `times`th time in a row. */
  onDamaged: (offset: number, times: number) => void;
  /** Everything below `durableOffset` is on the disk: to be recorded. */
  onDurable: (durableOffset: number) => Promise<void>;
  /** The client may send everything below `maxOffset`. */
  onGrant: (maxOffset: number) => void;
  onError: (error: unknown) => void;
}

/**
 * The way of one file's bytes into its part: frames are taken in order and unpacked, their bytes are
 * written, hashed and flushed, and as many as were written are granted again.
 */
export class IncomingBytes {
  readonly #frames: IncomingFrames;
  readonly #writer: PartWriter;
  readonly #rate = new RateMeter();
  /** Once it is known where the bytes begin. */
  #flow: StreamFlowControl | undefined;
  /** How far the frames ever came. */
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

  /** Every byte of the file below this offset has come, perhaps not yet written. */
  get arrived(): number {
    return this.#frames.arrived;
  }

  /** Bytes from the start of the file that are in the part, perhaps not flushed. */
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

  /** Whether other streams wait for credit, which this one may hold. */
  get othersWait(): boolean {
    return this.#flow?.othersWait ?? false;
  }

  /** True from when a chunk came damaged until it is here. */
  get resending(): boolean {
    return this.#frames.resending;
  }

  /** True when everything that came has been written. */
  get idle(): boolean {
    return this.#frames.idle && this.#writer.idle;
  }

  /**
   * Reads again what the part holds, and grants what is to come behind it.
   * @param offset bytes of the part that are durable; the rest of it is dropped
   * @param rateLimit most bytes a second by the time that it is read; null: no limit
   * @returns the digest of these bytes; null where the attempt was over before it was known
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

  /** The client sends the file from its first byte; what the part holds stays until {@link begin}. */
  restart(): void {
    this.#frames.beginAt(0);
    this.#reached = 0;
    this.#flow?.restart();
  }

  /** Empties the part where the client begins before its end, which is at the first byte then. */
  async emptyIfBehind(offset: number): Promise<void> {
    if (offset < this.written) await this.#writer.startOver();
  }

  /** Now that the file's size is known: nothing is granted beyond it. */
  endsAt(totalSize: number): void {
    this.#flow?.endsAt(totalSize);
    this.#flow?.grant();
  }

  /** The row says where the file begins: writes what has come, and from now on what comes. */
  begin(): void {
    this.#rate.add(0);
    this.#frames.open();
  }

  /**
   * Takes the next frame.
   * @returns whether it is of use, and by how many bytes the file came further than ever before
   * @throws FdsError `protocol_error` when it is not the next one, or more than was granted
   */
  take(frame: Frame): { isOfUse: boolean; progress: number } {
    const end = frame.offset + frame.rawLength;
    const { maxOffset } = this;
    if (end > maxOffset) throw broken(`a frame reaches beyond the ${maxOffset} bytes granted`);
    this.#flow?.arrived(frame.rawLength);
    const isOfUse = this.#frames.take(frame);
    // A chunk that comes again, or does not unpack in the end, has no new bytes.
    const progress = Math.max(0, this.arrived - this.#reached);
    this.#reached += progress;
    return { isOfUse, progress };
  }

  limitRate(rateLimit: number | null): void {
    this.#flow?.limitRate(rateLimit);
  }

  /** Everything below this offset is flushed, and its row says so. */
  flushed(durableOffset: number): void {
    this.#flow?.flushed(durableOffset);
  }

  /** Resolves when every frame that was taken has been unpacked. */
  settled(): Promise<void> {
    return this.#frames.settled();
  }

  /** As {@link PartWriter.seal}. */
  seal(): Promise<string> {
    return this.#writer.seal();
  }

  /**
   * Ends it, part and all.
   * @param keep whether what came is still to be written and made durable
   * @throws FdsError `storage_full` or `storage_error` when that did not work
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
