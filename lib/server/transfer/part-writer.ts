import type { ChecksumAlgorithm } from "../../protocol/checksum.ts";
import { FdsError } from "../../protocol/errors.ts";
import { eventLoopBudget } from "../../util/event-loop-budget.ts";
import type { SerialQueue } from "../../util/serial-queue.ts";
import { release } from "../../util/release.ts";
import type { Part } from "../storage/storage.ts";

/** Longest time between checkpoints, in ms, if {@link Part.maxUnsafe} bytes are not reached before. */
const CHECKPOINT_MS = 250;
/** Bytes of a prefix that are read at a time. Hashing this many holds the event loop for about 1.5 ms. */
const PREFIX_BLOCK = 1024 * 1024;

export interface PartWriterOptions {
  part: Part;
  checksum: ChecksumAlgorithm;
  /** Runs checkpoints one after the other; shared by all parts where {@link Storage.checkpointsInTurn}. */
  checkpoints: SerialQueue;
  /** Called when bytes were written; they are not durable yet. */
  onWritten: (bytes: number) => void;
  /** Records that everything below `durableOffset` is on the disk. */
  onDurable: (durableOffset: number) => Promise<void>;
  onError: (error: unknown) => void;
}

/**
 * Writes the bytes of one file to its part: in order, off the event loop, hashed on the way, and flushed
 * from time to time so that the next attempt can continue from there.
 */
export class PartWriter {
  #hash: Bun.CryptoHasher;
  #written = 0;
  #durable = 0;
  readonly #queue: Uint8Array[] = [];
  /** True: no more bytes are written, after an error or because nothing is to be kept. */
  #stopped = false;
  /** True: the end has begun, which makes everything durable itself, so no checkpoint begins. */
  #ending = false;
  #writing: Promise<void> | undefined;
  /** True: a checkpoint waits for its turn. */
  #isInLine = false;
  #checkpointing: Promise<void> | undefined;
  #timer: Timer | undefined;

  constructor(private readonly options: PartWriterOptions) {
    this.#hash = new Bun.CryptoHasher(options.checksum);
  }

  /** Bytes from the start of the file that are in the part, flushed or not. */
  get written(): number {
    return this.#written;
  }

  /** Whether all bytes so far have been written. */
  get idle(): boolean {
    return this.#writing === undefined;
  }

  /**
   * Continues after the durable bytes of the part. They are read and hashed again, block by block so that
   * other transfers go on.
   * @param offset durable bytes of the part; the rest is dropped
   * @param goOn false ends the reading early, and the digest is meaningless then
   * @returns the digest of these bytes
   * @throws FdsError `storage_error`
   */
  async continueFrom(offset: number, goOn: () => boolean): Promise<string> {
    const { part } = this.options;
    await part.truncate(offset);
    while (this.#written < offset && goOn()) {
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

  /** Starts again with an empty part. @throws FdsError `storage_error` */
  async startOver(): Promise<void> {
    this.#hash = new Bun.CryptoHasher(this.options.checksum);
    this.#written = this.#durable = 0;
    await this.options.part.truncate(0);
  }

  /** Takes the next bytes of the file. The writer owns them from then on. */
  push(chunk: Uint8Array): void {
    this.#queue.push(chunk);
    this.#writing ??= this.#writeQueued()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#writing = undefined;
      });
  }

  /**
   * Flushes the rest of a complete file.
   * @returns the digest of everything written
   * @throws FdsError `storage_full` or `storage_error`
   */
  async seal(): Promise<string> {
    await this.#end();
    await this.options.part.sync();
    return this.#hash.digest("hex");
  }

  /**
   * Closes it with its part.
   * @param keep whether pending bytes are still to be written and made durable
   * @throws FdsError `storage_full` or `storage_error` when that failed
   */
  async close(keep: boolean): Promise<void> {
    if (!keep) this.#stopped = true;
    try {
      await this.#end();
      if (!this.#stopped) await this.#makeDurable();
      // Bytes after an error are of no use. On a full disk, the row that records the error needs the space.
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
      // Hashed while the disk writes.
      const hashing = eventLoopBudget.run(() => this.#hash.update(chunk));
      await Promise.all([writing, hashing]);
      release(chunk);
      this.#written += length;
      onWritten(length);
      this.#scheduleCheckpoint();
    }
  }

  /** Stops writing after an error: further bytes would land in the wrong place. */
  #fail(error: unknown): void {
    this.#stopped = true;
    this.options.onError(error);
  }

  #scheduleCheckpoint(): void {
    if (this.#stopped || this.#ending || this.#isInLine || this.#checkpointing) return;
    if (this.#written - this.#durable >= this.options.part.maxUnsafe) this.#getInLine();
    else this.#timer ??= setTimeout(() => this.#getInLine(), CHECKPOINT_MS);
  }

  #getInLine(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isInLine = true;
    void this.options.checkpoints.run(() => this.#checkpoint());
  }

  async #checkpoint(): Promise<void> {
    this.#isInLine = false;
    // The end does not wait for a turn, as it makes the rest durable itself.
    if (this.#stopped || this.#ending) return;
    this.#checkpointing = this.#makeDurable()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#checkpointing = undefined;
        if (this.#written > this.#durable) this.#scheduleCheckpoint();
      });
    await this.#checkpointing;
  }

  /** First the bytes, then the row, so that the durable offset never exceeds what the disk holds. */
  async #makeDurable(): Promise<void> {
    const written = this.#written;
    if (written === this.#durable) return;
    const durableOffset = await this.#flush(written);
    if (durableOffset === this.#durable) return;
    await this.options.onDurable(durableOffset);
    this.#durable = durableOffset;
  }

  /** Flushes what was written; at the end, all of it. @returns how many bytes are durable */
  async #flush(written: number): Promise<number> {
    const { part } = this.options;
    if (!this.#ending) return part.checkpoint(written);
    await part.sync();
    return written;
  }
}
