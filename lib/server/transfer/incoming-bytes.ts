import type { Frame } from "../../protocol/frame.ts";
import { RateMeter } from "../../util/rate-meter.ts";
import type { SerialQueue } from "../../util/serial-queue.ts";
import type { Downloading } from "../download.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Part } from "../storage/storage.ts";
import type { FlowControl, StreamFlowControl } from "./flow-control.ts";
import { protocolError } from "./incoming-attempt.ts";
import { IncomingFrames } from "./incoming-frames.ts";
import type { ClientLink } from "./incoming-stream.ts";
import { PartWriter } from "./part-writer.ts";

export interface IncomingBytesOptions {
  part: Part;
  download: Downloading;
  link: ClientLink;
  credit: FlowControl;
  /** Runs checkpoints one after the other, see {@link PartWriterOptions.checkpoints}. */
  checkpoints: SerialQueue;
  metrics: Metrics;
  /** Reports whether the attempt is over. */
  isOver: () => boolean;
  /** Called when the chunk at `offset` arrived damaged, for the `times`th time in a row. */
  onDamaged: (offset: number, times: number) => void;
  /** Records in the download's row that the bytes below `durableOffset` are durable. */
  onDurable: (durableOffset: number) => Promise<void>;
  /** Called when the client may send the bytes below `maxOffset`. */
  onGrant: (maxOffset: number) => void;
  onError: (error: unknown) => void;
}

/**
 * Receives one file's bytes into its part. Frames are decompressed in order, their bytes are written, hashed
 * and flushed, and new credit is granted for the bytes written.
 */
export class IncomingBytes {
  readonly #frames: IncomingFrames;
  readonly #writer: PartWriter;
  readonly #rate = new RateMeter();
  /** Flow control of this file; undefined until the durable bytes of its part are hashed. */
  #flow: StreamFlowControl | undefined;
  /**
   * The highest offset that frames of this attempt have reached. Bytes that are sent again below it do not
   * count as progress.
   */
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

  /** The bytes of the file below this offset have arrived, but may not be written yet. */
  get arrived(): number {
    return this.#frames.arrived;
  }

  /** Number of bytes from the start of the file that are in the part, flushed or not. */
  get written(): number {
    return this.#writer.written;
  }

  get bytesOnWire(): number {
    return this.#frames.bytesOnWire;
  }

  get bytesPerSecond(): number | null {
    return this.#rate.bytesPerSecond();
  }

  /** The client may send the bytes of the file below this offset. */
  get maxOffset(): number {
    return this.#flow?.maxOffset ?? 0;
  }

  /** Whether other streams wait for credit. This file's stream may hold credit that they need. */
  get othersWait(): boolean {
    return this.#flow?.othersWait ?? false;
  }

  /** Whether a damaged chunk was requested again and has not arrived yet. */
  get isResending(): boolean {
    return this.#frames.isResending;
  }

  /** Whether all bytes that arrived have been written. */
  get isIdle(): boolean {
    return this.#frames.isIdle && this.#writer.isIdle;
  }

  /**
   * Hashes the durable bytes of the part, and grants credit for the bytes after them.
   * @param offset number of durable bytes in the part; bytes after these are removed
   * @param rateLimit returns the current rate limit, in bytes a second; null: no limit
   * @returns the digest of the durable bytes; null: the attempt ended during the hashing
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
      maxUnflushed: part.maxUnflushed,
      rateLimit: rateLimit(),
      roundTripMs: () => link.roundTripMs(),
      knownRate: link.rate,
      onGrant,
    });
    this.#flow.grant();
    return prefix;
  }

  /**
   * Prepares for a file that the client sends from its first byte. The part keeps its bytes until {@link
   * emptyIfBehind} is called.
   */
  restart(): void {
    this.#frames.beginAt(0);
    this.#reached = 0;
    this.#flow?.restart();
  }

  /**
   * Empties the part if the client sends the file from an offset before the part's end. Such a client sends
   * the whole file again, from offset 0.
   * @param offset offset of the first byte that the client sends
   */
  async emptyIfBehind(offset: number): Promise<void> {
    if (offset < this.written) await this.#writer.startOver();
  }

  /** Sets the file's size in bytes, once known. No credit is granted beyond it. */
  setEnd(totalSize: number): void {
    this.#flow?.setEnd(totalSize);
    this.#flow?.grant();
  }

  /**
   * Starts writing the bytes that arrived so far and all later ones. Called after the client's `file_start`
   * was recorded in the download's row.
   */
  begin(): void {
    this.#rate.add(0);
    this.#frames.open();
  }

  /**
   * Takes the next frame.
   * @returns whether the frame is used, and by how many bytes it goes beyond the highest offset so far
   * @throws FdsError `protocol_error` if the frame is out of order, or exceeds the granted credit
   */
  take(frame: Frame): { isAccepted: boolean; progress: number } {
    const end = frame.offset + frame.rawLength;
    const { maxOffset } = this;
    if (end > maxOffset)
      throw protocolError(`a frame reaches beyond the ${maxOffset} bytes granted`);
    this.#flow?.arrived(frame.rawLength);
    const isAccepted = this.#frames.take(frame);
    // Only bytes beyond the highest offset reached before count as progress, so bytes that are sent again do
    // not count.
    const progress = Math.max(0, this.arrived - this.#reached);
    this.#reached += progress;
    return { isAccepted, progress };
  }

  limitRate(rateLimit: number | null): void {
    this.#flow?.limitRate(rateLimit);
  }

  /** Records that the bytes below this offset are flushed, and that the download's row says so. */
  flushed(durableOffset: number): void {
    this.#flow?.flushed(durableOffset);
  }

  /** Resolves when all frames that arrived so far have been decompressed. */
  settled(): Promise<void> {
    return this.#frames.settled();
  }

  /**
   * Writes and flushes the rest of the file, see {@link PartWriter.seal}.
   * @returns the digest of the whole file
   */
  seal(): Promise<string> {
    return this.#writer.seal();
  }

  /**
   * Closes the part and returns its credit.
   * @param keep whether bytes that arrived are first written and made durable
   * @throws FdsError `storage_full` or `storage_error` if writing failed
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
