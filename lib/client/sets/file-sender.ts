import type { ChecksumAlgorithm } from "../../protocol/checksum.ts";
import { FdsError } from "../../protocol/errors.ts";
import { MAX_ERROR_LENGTH, type WantedFile } from "../../protocol/messages.ts";
import {
  DATA_HEADER_BYTES,
  recordLength,
  type SetRecord,
  START_BYTES,
} from "../../protocol/set-records.ts";
import { eventLoopBudget } from "../../util/event-loop-budget.ts";
import { nanosecondsOf } from "../../util/files-at.ts";
import { systemCode } from "../../util/system-error.ts";
import fs from "node:fs";
import { readAt } from "../block-reader.ts";
import type { Allowance } from "../owner-rules/allowance.ts";
import { type OnProgress, hashPrefix } from "../prefix-hash.ts";
import type { FrameBuilder } from "./frame-builder.ts";
import { ReadAhead } from "./read-ahead.ts";
import type { SetFile, SetFiles } from "./set-files.ts";

/**
 * Largest size in bytes of a file that is read synchronously, because a thread-pool call would take longer.
 */
const MAX_SMALL_BYTES = 64 * 1024;
/**
 * Free bytes in the current frame that are enough to begin a small file there, even if the file needs more.
 * The rest of the file is then sent in further frames.
 */
const ENOUGH_FREE_BYTES = 16 * 1024;
/**
 * Smallest block, in bytes, that is sent from its own buffer. Smaller blocks are copied into a frame with
 * other records.
 */
const MIN_UNCOPIED_BYTES = 512 * 1024;
/** Size in bytes of an END record with the longest digest. */
const END_BYTES = 3 + 32;

export interface FileSenderOptions {
  files: SetFiles;
  frames: FrameBuilder;
  checksum: ChecksumAlgorithm;
  /**
   * Whether to go on sending. False once the stream is stopped, or once the server asks for a damaged frame
   * again.
   */
  isWanted: () => boolean;
  /** Returns a callback that reports to the server how many bytes of a file were hashed again. */
  progressReporter: () => OnProgress;
  /** Reserves bytes for this set, out of those that may leave the site in a day. */
  allowance: Allowance;
}

/** Sends the files of a set one after the other, as the records of the wire protocol. */
export class FileSender {
  /** Bytes of files that were sent. Bytes that are sent twice count twice. */
  sentBytes = 0;
  sentFiles = 0;
  readonly #reading = new ReadAhead();
  /** The next wanted file, opened while the last block of the previous file is sent. */
  #next: { want: WantedFile; file: SetFile } | undefined;

  constructor(private readonly options: FileSenderOptions) {}

  /**
   * Sends a file that the server asked for, or a SKIP record with the reason why the file cannot be sent.
   * @param fileNumber number of the file among all files that the server asked for in this attempt, from 0
   * @param resumeAt offset at which to begin sending the file again, if a frame that began there arrived
   *   damaged; undefined to begin where the server asked
   * @param next the wanted file that follows, if known, to be opened early
   */
  async send(
    want: WantedFile,
    fileNumber: number,
    resumeAt?: number,
    next?: WantedFile,
  ): Promise<void> {
    try {
      using file = await this.#open(want);
      const isSmall = file.info.size <= MAX_SMALL_BYTES && !want.offset && !resumeAt;
      if (isSmall) await this.#sendSmall(want, file, fileNumber);
      else await this.#sendLarge(want, file, fileNumber, resumeAt, next);
    } catch (error) {
      await this.#skip(want, fileNumber, error);
    }
  }

  /** Closes the file that was opened early, and frees the read buffers. */
  async close(): Promise<void> {
    await this.#closeNext();
    this.#reading[Symbol.dispose]();
  }

  async #open(want: WantedFile): Promise<SetFile> {
    if (this.#next?.want === want) {
      const { file } = this.#next;
      this.#next = undefined;
      return file;
    }
    if (this.#next) await this.#closeNext();
    return eventLoopBudget.run(() => this.options.files.open(want));
  }

  /**
   * Opens the next file early and begins to read it. An error is ignored, because {@link FileSender.send}
   * opens the file again and reports the error.
   */
  #openNext(want: WantedFile | undefined): void {
    if (!want || this.#next) return;
    try {
      const file = this.options.files.open(want);
      this.#next = { want, file };
      const { size } = file.info;
      if (size > MAX_SMALL_BYTES && !want.offset)
        this.#reading.begin({ fd: file.fd, offset: 0, size });
    } catch {
      this.#next = undefined;
    }
  }

  async #closeNext(): Promise<void> {
    const file = this.#next?.file;
    this.#next = undefined;
    if (!file) return;
    await this.#reading.finishReading(file.fd);
    file[Symbol.dispose]();
  }

  /** Sends a small file inside one frame if it fits, else like a large file. */
  async #sendSmall(want: WantedFile, file: SetFile, fileNumber: number): Promise<void> {
    const { frames, checksum } = this.options;
    const { size } = file.info;
    const needed = START_BYTES + DATA_HEADER_BYTES + size + END_BYTES;
    if (!(await frames.makeRoom(Math.min(needed, ENOUGH_FREE_BYTES), { fileNumber, offset: 0 })))
      return;
    if (frames.freeBytes < needed) return this.#sendLarge(want, file, fileNumber);
    await this.options.allowance.ensure(size);
    await eventLoopBudget.run(() => {
      const start = frames.target.subarray(START_BYTES + DATA_HEADER_BYTES);
      const read = size === 0 ? 0 : fs.readSync(file.fd, start, 0, size, 0);
      const bytes = start.subarray(0, read);
      const digest = new Bun.CryptoHasher(checksum).update(bytes).digest("hex");
      frames.add(startRecordOf(want, file, 0));
      // The file's bytes were read directly into the frame, at the position of this record.
      if (read > 0) frames.add({ type: "data", bytes });
      const changed = read !== size || file.compare() !== "same";
      frames.add({ type: "end", changed, digest });
      this.#count(read);
    });
    this.sentFiles++;
  }

  async #sendLarge(
    want: WantedFile,
    file: SetFile,
    fileNumber: number,
    resumeAt?: number,
    next?: WantedFile,
  ): Promise<void> {
    try {
      const start = await this.#decideStart(want, file, resumeAt);
      const { offset } = start;
      await this.options.allowance.ensure(file.info.size - offset);
      const { frames } = this.options;
      if (!(await frames.makeRoom(START_BYTES, { fileNumber, offset }))) return;
      frames.add(startRecordOf(want, file, offset));
      const end = await this.#sendBlocks(file, fileNumber, start, next);
      if (end === null) return;
      const digest = start.hash.digest("hex");
      const changed = end < file.info.size || !(await this.#isSame(file, digest));
      if (!(await frames.makeRoom(END_BYTES, { fileNumber, offset: end }))) return;
      frames.add({ type: "end", changed, digest });
      this.sentFiles++;
    } finally {
      await this.#reading.finishReading(file.fd);
    }
  }

  /**
   * Sends the blocks of a file from an offset on, and hashes them.
   * @returns the offset at which the file ended; null if the sending was interrupted by a stop or by a
   *   request to resend a frame
   */
  async #sendBlocks(
    { fd, info: { size } }: SetFile,
    fileNumber: number,
    { offset, hash }: { offset: number; hash: Bun.CryptoHasher },
    next: WantedFile | undefined,
  ): Promise<number | null> {
    let at = offset;
    while (at < size) {
      const block = await this.#reading.blockAt({ fd, offset: at, size });
      if (block.length === 0) return at;
      const nextOffset = at + block.length;
      if (nextOffset < size) this.#reading.begin({ fd, offset: nextOffset, size });
      else this.#openNext(next);
      await eventLoopBudget.run(() => hash.update(block));
      if (!(await this.#sendBlock(block, fileNumber, at))) return null;
      at = nextOffset;
    }
    return at;
  }

  /**
   * Sends a block of a file as DATA records.
   * @param block bytes of the file; a record's header is written before them, into the same buffer
   * @returns false if the sending was interrupted by a stop or by a request to resend a frame
   */
  async #sendBlock(
    block: Uint8Array<ArrayBuffer>,
    fileNumber: number,
    offset: number,
  ): Promise<boolean> {
    const { frames, isWanted } = this.options;
    for (let done = 0; done < block.length;) {
      const position = { fileNumber, offset: offset + done };
      if (!(await frames.makeRoom(DATA_HEADER_BYTES + 1, position))) return false;
      const bytes = block.subarray(done, done + frames.freeBytes - DATA_HEADER_BYTES);
      if (bytes.length < MIN_UNCOPIED_BYTES) frames.add({ type: "data", bytes });
      else if (frames.hasRoomBefore(bytes)) await frames.sendInPlace(bytes);
      else {
        await frames.flush();
        continue;
      }
      done += bytes.length;
      this.#count(bytes.length);
      if (!isWanted()) return false;
    }
    return true;
  }

  #count(bytes: number): void {
    this.sentBytes += bytes;
    this.options.allowance.spend(bytes);
  }

  /**
   * Returns the offset at which to begin sending the file, and the hash of the bytes before this offset. The
   * offset is 0 if the bytes that the server has are not a prefix of the file.
   */
  async #decideStart(want: WantedFile, file: SetFile, resumeAt: number | undefined) {
    const { checksum, progressReporter } = this.options;
    const length = resumeAt ?? want.offset ?? 0;
    const fromBeginning = { offset: 0, hash: new Bun.CryptoHasher(checksum) };
    if (length === 0 || length > file.info.size) return fromBeginning;
    const hash = await hashPrefix(checksum, length, readerOf(file), progressReporter());
    if (!hash) return fromBeginning;
    const isProven = resumeAt !== undefined || hash.copy().digest("hex") === want.prefix;
    return isProven ? { offset: length, hash } : fromBeginning;
  }

  /**
   * Reports whether the open file is unchanged. If only its times differ, hashes the file again and compares
   * the digests.
   */
  async #isSame(file: SetFile, digest: string): Promise<boolean> {
    const verdict = file.compare();
    if (verdict !== "perhaps") return verdict === "same";
    const { checksum, progressReporter } = this.options;
    const hash = await hashPrefix(checksum, file.info.size, readerOf(file), progressReporter());
    return hash?.digest("hex") === digest && file.compare() !== "changed";
  }

  async #skip(want: WantedFile, fileNumber: number, error: unknown): Promise<void> {
    if (!this.options.isWanted()) return;
    const knownCode = error instanceof FdsError ? error.code : null;
    const code = knownCode ?? "file_unreadable";
    const message =
      knownCode && error instanceof Error
        ? error.message
        : `the client cannot read it: ${systemCode(error) ?? "an unexpected error"}`;
    const record: SetRecord = {
      type: "skip",
      index: want.index,
      code,
      message: message.slice(0, MAX_ERROR_LENGTH),
    };
    if (!(await this.options.frames.makeRoom(recordLength(record), { fileNumber, offset: 0 })))
      return;
    this.options.frames.add(record);
  }
}

function startRecordOf(want: WantedFile, { info }: SetFile, offset: number): SetRecord {
  const mtimeNs = BigInt(nanosecondsOf(info.mtimeS, info.mtimeNs));
  return { type: "start", index: want.index, size: info.size, mtimeNs, offset };
}

function readerOf({ fd }: SetFile) {
  return (offset: number, length: number) => readAt({ fd }, offset, Buffer.allocUnsafeSlow(length));
}
