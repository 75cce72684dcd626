import type { Problem } from "../../protocol/errors.ts";
import { readRecords, START_BYTES } from "../../protocol/set-records.ts";
import { RateMeter } from "../../util/rate-meter.ts";
import { release } from "../../util/release.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { WantedSetFile } from "../set.ts";
import type { OpenSet } from "./open-set.ts";
import { type Moment, SetCheckpoints } from "./set-checkpoints.ts";
import { type Answer, SetWriter } from "./set-writer.ts";
import { describeWanted } from "./wanted-file.ts";
import { WantQueue } from "./want-queue.ts";

/** Growth of files beyond their listed sizes, in bytes, after which quotas are checked again. */
const GROWTH_STEP = 1024 * 1024;

export interface IncomingFilesOptions extends OpenSet {
  metrics: Metrics;
  /**
   * Called before bytes beyond the listed sizes are taken; ends the attempt where the disk has no space.
   */
  checkRoom: (bytes: number) => Promise<void>;
  /**
   * Called with the set's size in bytes, where it exceeds what was listed; ends the attempt where that
   * exceeds a quota.
   */
  checkQuota: (totalSize: number) => Promise<unknown>;
  /** Called when the state of that moment is on the disk and in the rows of the files. */
  onDurable: (moment: Moment) => Promise<void>;
  /** Called when a file does not come, and the set needs all of them. */
  onMissing: (error: Problem) => void;
  /** Called when every file was answered, and everything received is durable. */
  onDone: () => void;
  onError: (error: unknown) => void;
  /** Offset in the stream up to which bytes were written. */
  streamOffset: () => number;
}

/**
 * Receives the files of a set: asks for them ahead of time, writes and compares them one after the other,
 * and makes them durable together from time to time.
 */
export class IncomingFiles {
  readonly #wants: WantQueue;
  readonly #writer: SetWriter;
  readonly #checkpoints: SetCheckpoints;
  readonly #rate = new RateMeter();
  /** Bytes beyond the listed sizes since quotas were last checked. */
  #growth = 0;

  constructor(private readonly options: IncomingFilesOptions) {
    const { download, rows, folder, checkpointBytes, stalled, tell } = options;
    this.#wants = new WantQueue({
      downloadId: download.downloadId,
      rows,
      describe: (file) => describeWanted(file, folder, download.checksum),
      ask: (files) => tell({ type: "set_want", files }),
    });
    this.#writer = new SetWriter({
      folder,
      checksum: download.checksum,
      expect: (index) => this.#wants.expect(index),
      admit: (bytes) => this.#admit(bytes),
      onProgress: (bytes) => stalled.moved(bytes),
      onAnswer: (answer) => this.#onAnswer(answer),
    });
    this.#checkpoints = new SetCheckpoints({
      attempt: download,
      folder,
      checkpointBytes,
      rows,
      moment: () => this.#moment(),
      onDurable: (moment) => this.#onDurable(moment),
      onError: options.onError,
    });
    this.#rate.add(0);
  }

  /** Bytes received of the current file. */
  get currentLength(): number {
    return this.#writer.current?.length ?? 0;
  }

  get bytesPerSecond(): number | null {
    return this.#rate.bytesPerSecond();
  }

  /** Whether the client owes a file. */
  get isOwed(): boolean {
    return this.#wants.isOwed;
  }

  /**
   * Takes the records of the next frame.
   * @throws FdsError `protocol_error` for a record out of order, `storage_full` or `storage_error`
   */
  async take(bytes: Uint8Array): Promise<void> {
    for (const record of readRecords(bytes)) {
      if (this.options.isOver()) return;
      const waiting = this.#writer.take(record);
      if (waiting) await waiting;
    }
    this.#rate.add(bytes.length);
    this.#checkpoints.wrote(bytes.length);
    release(bytes);
    await this.goOn();
  }

  /** Asks for more files, or ends where no more are to come. */
  async goOn(): Promise<void> {
    const { isOver, onDone } = this.options;
    await this.#wants.fill();
    if (isOver() || !this.#wants.isDone) return;
    await this.#checkpoints.finish();
    if (!isOver()) onDone();
  }

  /** The client is reading a file's bytes again that the server has, up to an offset. */
  proving(offset: number): void {
    const { current } = this.#writer;
    this.options.stalled.proved(offset, current?.length ?? this.#wants.next?.durableOffset ?? 0);
  }

  /**
   * @param keep whether to make durable what came. What cannot be is dropped, so that a full disk has space
   *   for the row that records it
   */
  async close(keep: boolean): Promise<void> {
    let isSafe = false;
    try {
      isSafe = keep && (await this.#checkpoints.finish());
      await this.#checkpoints.stop();
    } finally {
      if (keep && !isSafe) await this.#writer.dropUnsafe();
      await this.#writer.close();
    }
  }

  async #onDurable(moment: Moment): Promise<void> {
    const { current } = this.#writer;
    const { index, length } = moment.current ?? { index: -1, length: 0 };
    if (current?.file.index === index) current.file.durableOffset = length;
    await this.options.onDurable(moment);
  }

  #onAnswer(answer: Answer): void {
    const { file } = answer;
    const { metrics, stalled } = this.options;
    this.#wants.answered();
    // Empty files count as progress, too.
    stalled.moved(START_BYTES);
    stalled.forgetProven();
    switch (answer.type) {
      case "received":
        return this.#received(answer);
      case "again":
        if (answer.error.code === "checksum_mismatch") metrics.checksumFailures++;
        if (this.#wants.repeat(file)) return;
        return this.#skip(file, answer.error);
      case "skipped":
        return this.#skip(file, answer.error);
    }
  }

  #received({ file, size, mtimeNs, digest }: Extract<Answer, { type: "received" }>): void {
    this.options.tally.received(size);
    this.#checkpoints.add({
      index: file.index,
      status: "received",
      size,
      mtimeNs: String(mtimeNs),
      digest,
      readAt: Date.now(),
    });
  }

  #skip(file: WantedSetFile, error: Problem): void {
    const { tally, order, onMissing } = this.options;
    tally.skipped(file, error);
    this.#checkpoints.add({ index: file.index, status: "skipped", error });
    if (order.strict) onMissing(error);
  }

  /**
   * Accepts that a file has another size than known.
   * @param bytes the difference, negative where it is smaller
   * @returns a promise where space and quotas are checked
   */
  #admit(bytes: number): Promise<void> | undefined {
    const { tally, order } = this.options;
    tally.grow(bytes, order.maxBytes);
    return bytes > 0 ? this.#checkGrowth(bytes) : undefined;
  }

  async #checkGrowth(bytes: number): Promise<void> {
    const { tally, checkRoom, checkQuota } = this.options;
    await checkRoom(bytes);
    this.#growth += bytes;
    if (this.#growth < GROWTH_STEP) return;
    this.#growth = 0;
    await checkQuota(tally.totalSize);
  }

  #moment(): Moment {
    const { current } = this.#writer;
    const { bytes, counts: files, totalSize } = this.options.tally;
    return {
      current: current && { index: current.file.index, length: current.length },
      bytes: bytes + (current?.length ?? 0),
      files,
      totalSize,
      streamOffset: this.options.streamOffset(),
    };
  }
}
