import type { ChecksumAlgorithm } from "../../protocol/checksum.ts";
import { FdsError } from "../../protocol/errors.ts";
import { eventLoopBudget } from "../../util/event-loop-budget.ts";
import type { SerialQueue } from "../../util/serial-queue.ts";
import { release } from "../../util/release.ts";
import type { Part } from "../storage/storage.ts";

/**
 * Longest time between checkpoints, in ms. A checkpoint comes earlier if {@link Part.maxUnflushed} bytes are
 * written but not durable.
 */
const CHECKPOINT_MS = 250;
/**
 * Number of bytes of a part that are read and hashed at a time. Hashing 1 MiB holds the event loop for about
 * 1.5 ms.
 */
const PREFIX_BLOCK = 1024 * 1024;

export interface PartWriterOptions {
  part: Part;
  checksum: ChecksumAlgorithm;
  /**
   * Runs checkpoints one after the other. Shared by all parts if {@link Storage.checkpointsInTurn} is true.
   */
  checkpoints: SerialQueue;
  /** Called with the number of bytes that were just written. They are not durable yet. */
  onWritten: (bytes: number) => void;
  /** Records in the download's row that the bytes below `durableOffset` are durable. */
  onDurable: (durableOffset: number) => Promise<void>;
  onError: (error: unknown) => void;
}

/**
 * Writes one file's bytes to its part, in order and off the event loop, and hashes them. Regular checkpoints
 * make the bytes durable, so that a later attempt can continue after them.
 */
export class PartWriter {
  #hash: Bun.CryptoHasher;
  #written = 0;
  #durable = 0;
  readonly #queue: Uint8Array[] = [];
  /** True: no more bytes are written, because of an error or because the bytes are not to be kept. */
  #stopped = false;
  /**
   * True: {@link seal} or {@link close} has begun. No checkpoint starts any more, because both flush the rest
   * themselves.
   */
  #ending = false;
  #writing: Promise<void> | undefined;
  /** True: a checkpoint waits in the queue of checkpoints. */
  #isCheckpointQueued = false;
  #checkpointing: Promise<void> | undefined;
  #timer: Timer | undefined;

  constructor(private readonly options: PartWriterOptions) {
    this.#hash = new Bun.CryptoHasher(options.checksum);
  }

  /** Number of bytes from the start of the file that are in the part, flushed or not. */
  get written(): number {
    return this.#written;
  }

  /**
   * Whether all bytes given to {@link push} so far have been written, or dropped because writing has stopped.
   */
  get isIdle(): boolean {
    return this.#writing === undefined;
  }

  /**
   * Hashes the durable bytes of the part, so that writing continues after them. This is done block by block,
   * so that other transfers are not held up.
   * @param offset number of durable bytes in the part; bytes after these are removed
   * @param mayContinue returns false to stop early. The returned digest is then meaningless
   * @returns the digest of the durable bytes
   * @throws FdsError `storage_error`
   */
  async continueFrom(offset: number, mayContinue: () => boolean): Promise<string> {
    const { part } = this.options;
    await part.truncate(offset);
    while (this.#written < offset && mayContinue()) {
      const block = await part.read(this.#written, Math.min(PREFIX_BLOCK, offset - this.#written));
      if (block.length === 0) {
        throw new FdsError("storage_error", "the part file became shorter while it was read");
      }
      await eventLoopBudget.run(() => this.#hash.update(block));
      this.#written += block.length;
      release(block);
    }
    this.#durable = offset;
    return this.#hash.copy().digest("hex");
  }

  /**
   * Empties the part, to write the file from its first byte.
   * @throws FdsError `storage_error`
   */
  async startOver(): Promise<void> {
    this.#hash = new Bun.CryptoHasher(this.options.checksum);
    this.#written = this.#durable = 0;
    await this.options.part.truncate(0);
  }

  /** Queues the next bytes of the file for writing. The writer then owns the bytes. */
  push(chunk: Uint8Array): void {
    this.#queue.push(chunk);
    this.#writing ??= this.#writeQueued()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#writing = undefined;
      });
  }

  /**
   * Writes and flushes the rest of a complete file.
   * @returns the digest of the whole file
   * @throws FdsError `storage_full` or `storage_error`
   */
  async seal(): Promise<string> {
    await this.#end();
    await this.options.part.sync();
    return this.#hash.digest("hex");
  }

  /**
   * Stops writing, and closes the part.
   * @param keep whether queued bytes are first written and made durable
   * @throws FdsError `storage_full` or `storage_error` if writing failed
   */
  async close(keep: boolean): Promise<void> {
    if (!keep) this.#stopped = true;
    try {
      await this.#end();
      if (!this.#stopped) await this.#makeDurable();
      // After an error, the bytes after the durable offset are removed. The next attempt would drop them
      // anyway, and on a full disk the database needs their space to record the error.
      else if (keep) await this.options.part.truncate(this.#durable);
    } finally {
      await this.options.part.close();
    }
  }

  async #end(): Promise<void> {
    this.#ending = true;
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#checkpointing;
  }

  async #writeQueued(): Promise<void> {
    const { part, onWritten } = this.options;
    for (let chunk = this.#queue.shift(); chunk; chunk = this.#queue.shift()) {
      if (this.#stopped) return;
      const { length } = chunk;
      const writing = part.write(chunk, this.#written);
      // The bytes are hashed while the disk writes them.
      const hashing = eventLoopBudget.run(() => this.#hash.update(chunk));
      await Promise.all([writing, hashing]);
      release(chunk);
      this.#written += length;
      onWritten(length);
      this.#scheduleCheckpoint();
    }
  }

  /** Stops writing after an error, because later bytes would be written at the wrong offset. */
  #fail(error: unknown): void {
    this.#stopped = true;
    this.options.onError(error);
  }

  #scheduleCheckpoint(): void {
    if (this.#stopped || this.#ending || this.#isCheckpointQueued || this.#checkpointing) return;
    if (this.#written - this.#durable >= this.options.part.maxUnflushed) this.#queueCheckpoint();
    else this.#timer ??= setTimeout(() => this.#queueCheckpoint(), CHECKPOINT_MS);
  }

  #queueCheckpoint(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isCheckpointQueued = true;
    void this.options.checkpoints.run(() => this.#checkpoint());
  }

  async #checkpoint(): Promise<void> {
    this.#isCheckpointQueued = false;
    // `seal` and `close` do not wait for this checkpoint, because they flush the rest themselves.
    if (this.#stopped || this.#ending) return;
    this.#checkpointing = this.#makeDurable()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#checkpointing = undefined;
        if (this.#written > this.#durable) this.#scheduleCheckpoint();
      });
    await this.#checkpointing;
  }

  /**
   * Flushes the bytes, then updates the row, so that the row's durable offset never exceeds the bytes on the
   * disk.
   */
  async #makeDurable(): Promise<void> {
    const written = this.#written;
    if (written === this.#durable) return;
    const durableOffset = await this.#flush(written);
    if (durableOffset === this.#durable) return;
    await this.options.onDurable(durableOffset);
    this.#durable = durableOffset;
  }

  /**
   * Flushes the written bytes. A checkpoint may leave the last bytes for a later flush. `seal` and `close`
   * flush all bytes.
   * @returns the number of durable bytes
   */
  async #flush(written: number): Promise<number> {
    const { part } = this.options;
    if (!this.#ending) return part.checkpoint(written);
    await part.sync();
    return written;
  }
}
