import type { SetAttempt, SetCounts, SetFileChange, SetRows } from "../set.ts";
import type { SetFolder } from "../storage/storage.ts";

/** A checkpoint is due after this many files, this many ms or {@link SetStorage.maxUnsafe} bytes. */
const CHECKPOINT_FILES = 4_000;
const CHECKPOINT_MS = 500;

/** What a checkpoint makes durable beside the files that are whole. */
export interface Moment {
  /** The file in the middle of which the set is, and how many of its bytes are there. */
  current: { index: number; length: number } | undefined;
  /** Bytes of files, and files, that were there. */
  bytes: number;
  files: SetCounts;
  /** Bytes of all files that will have come. */
  totalSize: number;
  /** Bytes of the stream that were written. */
  streamOffset: number;
}

export interface SetCheckpointsOptions {
  attempt: SetAttempt;
  folder: Pick<SetFolder, "sync">;
  maxUnsafe: number;
  rows: Pick<SetRows, "update">;
  /** What is so when a checkpoint begins. */
  moment: () => Moment;
  /** What was there at that moment is on the disk, and in the rows. */
  onDurable: (moment: Moment) => Promise<void>;
  onError: (error: unknown) => void;
}

/**
 * Makes what arrives durable now and then: first the bytes of all files, by one flush, then their rows. So
 * a row never says of a file that it is here when it may not be.
 */
export class SetCheckpoints {
  #changes: SetFileChange[] = [];
  #bytes = 0;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  /** A flush failed. The system says so once: the next one may succeed without having written anything. */
  #hasFailed = false;

  constructor(private readonly options: SetCheckpointsOptions) {}

  /** Bytes were written. */
  wrote(bytes: number): void {
    this.#bytes += bytes;
    this.#schedule();
  }

  /** Something became known of a file, which may be recorded once its bytes are flushed. */
  add(change: SetFileChange): void {
    this.#changes.push(change);
    this.#schedule();
  }

  /**
   * Makes durable what there is, and waits for it.
   * @returns false after a flush that failed: nothing more is durable
   */
  async finish(): Promise<boolean> {
    await this.#running;
    if (!this.#hasFailed) await this.#make();
    return !this.#hasFailed;
  }

  /** Begins no other one, and waits for the one that runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(): void {
    if (this.#stopped || this.#running) return;
    const isDue = this.#bytes >= this.options.maxUnsafe || this.#changes.length >= CHECKPOINT_FILES;
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
