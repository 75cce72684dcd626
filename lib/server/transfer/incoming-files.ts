import type { Problem } from "../../protocol/errors.ts";
import { readRecords, START_BYTES } from "../../protocol/set-records.ts";
import { RateMeter } from "../../util/rate-meter.ts";
import { release } from "../../util/release.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { WantedSetFile } from "../set.ts";
import type { OpenSet } from "./open-set.ts";
import { SetCheckpoints, type SetSnapshot } from "./set-checkpoints.ts";
import { type Answer, SetWriter } from "./set-writer.ts";
import { describeWanted } from "./wanted-file.ts";
import { WantQueue } from "./want-queue.ts";

/** Growth of a set's files beyond their listed sizes, in bytes, after which quotas are checked again. */
const GROWTH_STEP = 1024 * 1024;

export interface IncomingFilesOptions extends OpenSet {
  metrics: Metrics;
  /**
   * Called when a file is larger at the client than known so far, before its additional bytes are written.
   * Ends the attempt if the disk has too little space.
   * @param bytes number of additional bytes
   */
  checkRoom: (bytes: number) => Promise<void>;
  /**
   * Called with the set's size in bytes after files grew beyond their listed sizes. Ends the attempt if the
   * size exceeds a quota.
   */
  checkQuota: (totalSize: number) => Promise<unknown>;
  /** Called when the state in `snapshot` is flushed to the disk and recorded in the rows of the files. */
  onDurable: (snapshot: SetSnapshot) => Promise<void>;
  /** Called when the client cannot send a file of a strict set, which fails the set. */
  onMissing: (error: Problem) => void;
  /** Called when the client has answered for every file, and all received files are durable. */
  onDone: () => void;
  onError: (error: unknown) => void;
  /** Returns the number of bytes of the set's stream that have been processed. */
  streamOffset: () => number;
}

/**
 * Receives the files of a set. Files are requested ahead of time, written and verified one after the other,
 * and made durable many at a time.
 */
export class IncomingFiles {
  readonly #wants: WantQueue;
  readonly #writer: SetWriter;
  readonly #checkpoints: SetCheckpoints;
  readonly #rate = new RateMeter();
  /** Growth of files beyond their listed sizes, in bytes, since quotas were last checked. */
  #growth = 0;

  constructor(private readonly options: IncomingFilesOptions) {
    const { download, rows, folder, checkpointBytes, stallWatch, tell } = options;
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
      onProgress: (bytes) => stallWatch.addProgress(bytes),
      onAnswer: (answer) => this.#onAnswer(answer),
    });
    this.#checkpoints = new SetCheckpoints({
      attempt: download,
      folder,
      checkpointBytes,
      rows,
      takeSnapshot: () => this.#takeSnapshot(),
      onDurable: (snapshot) => this.#onDurable(snapshot),
      onError: options.onError,
    });
    this.#rate.add(0);
  }

  /** Number of bytes received of the unfinished large file; 0 if there is none. */
  get currentLength(): number {
    return this.#writer.current?.length ?? 0;
  }

  get bytesPerSecond(): number | null {
    return this.#rate.bytesPerSecond();
  }

  /** Whether the client still has to answer some request for a file. */
  get isAnswerDue(): boolean {
    return this.#wants.isAnswerDue;
  }

  /**
   * Processes the records of the next frame.
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
    await this.requestMore();
  }

  /**
   * Requests more files. If the client has answered for every file, makes the files durable and calls
   * `onDone`.
   */
  async requestMore(): Promise<void> {
    const { isOver, onDone } = this.options;
    await this.#wants.fill();
    if (isOver() || !this.#wants.isDone) return;
    await this.#checkpoints.finish();
    if (!isOver()) onDone();
  }

  /**
   * Handles a report that the client has hashed a file up to this offset, to compare its beginning with the
   * bytes that the server has.
   */
  onProving(offset: number): void {
    const { current } = this.#writer;
    this.options.stallWatch.addProven(
      offset,
      current?.length ?? this.#wants.next?.durableOffset ?? 0,
    );
  }

  /**
   * Closes the unfinished file.
   * @param keep whether to make received bytes durable first. If that fails, they are removed, so that a full
   *   disk has space for the row that records the failure
   */
  async close(keep: boolean): Promise<void> {
    let isDurable = false;
    try {
      isDurable = keep && (await this.#checkpoints.finish());
      await this.#checkpoints.stop();
    } finally {
      if (keep && !isDurable) await this.#writer.dropUnflushed();
      await this.#writer.close();
    }
  }

  async #onDurable(snapshot: SetSnapshot): Promise<void> {
    const { current } = this.#writer;
    const { index, length } = snapshot.current ?? { index: -1, length: 0 };
    if (current?.file.index === index) current.file.durableOffset = length;
    await this.options.onDurable(snapshot);
  }

  #onAnswer(answer: Answer): void {
    const { file } = answer;
    const { metrics, stallWatch } = this.options;
    this.#wants.answered();
    // A record's bytes count as progress even if the file is empty, so many empty files cause no timeout.
    stallWatch.addProgress(START_BYTES);
    stallWatch.forgetProven();
    switch (answer.type) {
      case "received":
        return this.#received(answer);
      case "retry":
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
    this.#checkpoints.leaveOut(file.index, file.place, error);
    if (order.strict) onMissing(error);
  }

  /**
   * Accepts that the client states another size for a file than the one known so far.
   * @param bytes the stated size minus the known size
   * @returns a promise if space and quotas have to be checked; undefined: nothing to wait for
   * @throws FdsError `set_too_large`
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

  #takeSnapshot(): SetSnapshot {
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
