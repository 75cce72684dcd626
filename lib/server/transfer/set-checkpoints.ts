import type { Problem } from "../../protocol/errors.ts";
import type { SetAttempt, SetCounts, SetFileChange, SetRows } from "../set.ts";
import type { SetFolder } from "../storage/storage.ts";

/** Number of received files after which a checkpoint is due. */
const CHECKPOINT_FILES = 4_000;
/** Time after which a checkpoint is due, in ms. */
const CHECKPOINT_MS = 500;

/**
 * The state of a set that a checkpoint makes durable, besides the files completed since the previous
 * checkpoint.
 */
export interface SetSnapshot {
  /** The unfinished large file and the number of its bytes received; undefined if there is none. */
  current: { index: number; length: number } | undefined;
  /** Number of bytes received, of complete files and of the unfinished one. */
  bytes: number;
  files: SetCounts;
  /** Total size in bytes of the files received or still to come. */
  totalSize: number;
  /** Number of bytes of the set's stream that had been processed at this moment. */
  streamOffset: number;
}

export interface SetCheckpointsOptions {
  attempt: SetAttempt;
  folder: Pick<SetFolder, "sync" | "removeFile">;
  /** Number of written bytes after which a checkpoint is due, see {@link SetStorage.checkpointBytes}. */
  checkpointBytes: number;
  rows: Pick<SetRows, "update">;
  /** Returns the state of the set at the beginning of a checkpoint. */
  takeSnapshot: () => SetSnapshot;
  /** Called when the state in `snapshot` is flushed to the disk and recorded in the rows of the files. */
  onDurable: (snapshot: SetSnapshot) => Promise<void>;
  onError: (error: unknown) => void;
}

/**
 * Makes received files durable from time to time. One flush covers the bytes of all files, and their rows are
 * updated after it. So a row never says that a file is stored when a crash could still lose it.
 */
export class SetCheckpoints {
  #changes: SetFileChange[] = [];
  /**
   * Paths of files that were left out of the set since the last checkpoint. The paths are relative to the
   * set's folder.
   */
  #leftOut: string[] = [];
  #bytes = 0;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  /**
   * Whether a flush has failed. If so, no more flushes are tried: the operating system reports a write error
   * only once, so a later flush could succeed although bytes are missing.
   */
  #hasFailed = false;

  constructor(private readonly options: SetCheckpointsOptions) {}

  /** Counts bytes written since the last checkpoint. */
  wrote(bytes: number): void {
    this.#bytes += bytes;
    this.#schedule();
  }

  /** Adds a change of a file's row, to be recorded after the next flush. */
  add(change: SetFileChange): void {
    this.#changes.push(change);
    this.#schedule();
  }

  /**
   * Adds a file that is left out of the set. Bytes of it that are in the folder are removed before its row is
   * recorded, so that they are never published.
   * @param place path in the set's folder; null: the file has none
   */
  leaveOut(index: number, place: string | null, error: Problem): void {
    if (place !== null) this.#leftOut.push(place);
    this.add({ index, status: "skipped", error });
  }

  /**
   * Makes everything received so far durable, and waits for it.
   * @returns false if this was not tried, because an earlier flush had failed
   * @throws FdsError if the flush fails
   */
  async finish(): Promise<boolean> {
    // The end of a checkpoint may start the next one at once.
    while (this.#running) await this.#running;
    if (!this.#hasFailed) await this.#makeCheckpoint();
    return !this.#hasFailed;
  }

  /** Starts no more checkpoints, and waits for the one under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(): void {
    if (this.#stopped || this.#running) return;
    const { checkpointBytes } = this.options;
    const isDue = this.#bytes >= checkpointBytes || this.#changes.length >= CHECKPOINT_FILES;
    if (isDue) this.#start();
    else this.#timer ??= setTimeout(() => this.#start(), CHECKPOINT_MS);
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#stopped || this.#hasFailed || this.#running) return;
    this.#running = this.#makeCheckpoint()
      .catch((error: unknown) => this.options.onError(error))
      .finally(() => {
        this.#running = undefined;
        if (this.#bytes > 0 || this.#changes.length > 0) this.#schedule();
      });
  }

  async #makeCheckpoint(): Promise<void> {
    const { attempt, folder, rows, takeSnapshot, onDurable } = this.options;
    const changes = this.#changes;
    const leftOut = this.#leftOut;
    const snapshot = takeSnapshot();
    this.#changes = [];
    this.#leftOut = [];
    this.#bytes = 0;
    try {
      for (const place of leftOut) await folder.removeFile(place);
      await folder.sync();
    } catch (error) {
      this.#hasFailed = true;
      throw error;
    }
    const { current } = snapshot;
    const unfinished: SetFileChange[] = current
      ? [{ index: current.index, status: "pending", durableOffset: current.length }]
      : [];
    await rows.update(attempt, [...changes, ...unfinished]);
    await onDurable(snapshot);
  }
}
