import type { SetAttempt, SetCounts, SetFileChange, SetRows } from "../set.ts";
import type { SetFolder } from "../storage/storage.ts";

/** A checkpoint is due after this many files, this many ms, or {@link SetStorage.checkpointBytes}. */
const CHECKPOINT_FILES = 4_000;
const CHECKPOINT_MS = 500;

/** The state that a checkpoint makes durable, besides complete files. */
export interface Moment {
  /** The unfinished file, and how many of its bytes are here. */
  current: { index: number; length: number } | undefined;
  /** Bytes and number of files received. */
  bytes: number;
  files: SetCounts;
  /** Total bytes of all files, once they will have come. */
  totalSize: number;
  /** Offset in the stream up to which bytes were written. */
  streamOffset: number;
}

export interface SetCheckpointsOptions {
  attempt: SetAttempt;
  folder: Pick<SetFolder, "sync">;
  /** See {@link SetStorage.checkpointBytes}. */
  checkpointBytes: number;
  rows: Pick<SetRows, "update">;
  /** Gives the state at the beginning of a checkpoint. */
  moment: () => Moment;
  /** Called when that state is on the disk and in the rows. */
  onDurable: (moment: Moment) => Promise<void>;
  onError: (error: unknown) => void;
}

/**
 * Makes received files durable from time to time: first the bytes of all files, by one flush, then their
 * rows. So a row never says that a file is here when it may not be.
 */
export class SetCheckpoints {
  #changes: SetFileChange[] = [];
  #bytes = 0;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  /**
   * True after a failed flush. The system reports it only once: the next flush may succeed without having
   * written anything.
   */
  #hasFailed = false;

  constructor(private readonly options: SetCheckpointsOptions) {}

  /** Counts written bytes. */
  wrote(bytes: number): void {
    this.#bytes += bytes;
    this.#schedule();
  }

  /** Adds a change of a file's row, to be recorded once the file's bytes are flushed. */
  add(change: SetFileChange): void {
    this.#changes.push(change);
    this.#schedule();
  }

  /**
   * Makes everything durable, and waits for it.
   * @returns false after a failed flush: nothing more is durable
   */
  async finish(): Promise<boolean> {
    await this.#running;
    if (!this.#hasFailed) await this.#make();
    return !this.#hasFailed;
  }

  /** Starts no further checkpoint, and waits for the running one. */
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
    this.#running = this.#make()
      .catch((error: unknown) => this.options.onError(error))
      .finally(() => {
        this.#running = undefined;
        if (this.#bytes > 0 || this.#changes.length > 0) this.#schedule();
      });
  }

  async #make(): Promise<void> {
    const { attempt, folder, rows, moment, onDurable } = this.options;
    const changes = this.#changes;
    const now = moment();
    this.#changes = [];
    this.#bytes = 0;
    try {
      await folder.sync();
    } catch (error) {
      this.#hasFailed = true;
      throw error;
    }
    const { current } = now;
    const middle: SetFileChange[] = current
      ? [{ index: current.index, status: "pending", durableOffset: current.length }]
      : [];
    await rows.update(attempt, [...changes, ...middle]);
    await onDurable(now);
  }
}
