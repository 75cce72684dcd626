import { FdsError } from "../protocol/errors.ts";
import {
  type ClientMessage,
  type DownloadRequest,
  MAX_ERROR_LENGTH,
  ZSTD,
  type ClientStreamMessage,
} from "../protocol/messages.ts";
import type { Logger } from "../util/logger.ts";
import { BlockReader } from "./block-reader.ts";
import { clientErrorOf } from "./client-error.ts";
import { Compressor } from "./compressor.ts";
import { CreditWindow } from "./credit-window.ts";
import type {
  RequestDetails,
  RequestResult,
  OutgoingStream,
  StopReason,
} from "./outgoing-stream.ts";
import { Allowance } from "./owner-rules/allowance.ts";
import type { DailyLimit } from "./owner-rules/daily-limit.ts";
import type { Roots } from "./owner-rules/roots.ts";
import type { SourceFile } from "./owner-rules/source-file.ts";
import type { OnProgress } from "./prefix-hash.ts";
import { progressReporter } from "./proving.ts";
import { Source } from "./source.ts";
import type { SendScheduler } from "./send-scheduler.ts";

export interface SenderOptions {
  request: DownloadRequest;
  roots: Roots;
  scheduler: SendScheduler;
  /** The client's limit of bytes in a frame. The smaller of this limit and the server's limit is used. */
  chunkSize: number;
  /** Whether frames may be compressed if the server accepts this. */
  compress: boolean;
  send: (message: ClientMessage) => void;
  /** Maximum number of bytes that may leave the site in a day; null for no limit. */
  dailyLimit: DailyLimit | null;
  logger: Logger;
}

/**
 * Sends one file. Opens the file, checks by hash whether the server's bytes are a prefix of the file, and
 * sends the rest as the server grants credit.
 */
export class Sender implements OutgoingStream {
  readonly #chunkSize: number;
  readonly #compressor: Compressor | null;
  readonly #credit: CreditWindow;
  #resendFrom: number | undefined;
  #stopped: StopReason | undefined;
  /** Wakes the pending wait for a message or for a turn, if any. */
  #wake: () => void = () => undefined;

  readonly #allowance: Allowance;
  #sentBytes = 0;
  #startOffset = 0;
  #offset = 0;
  #totalSize = 0;
  #hash: Bun.CryptoHasher;
  /**
   * The number of bytes hashed so far, from the file's start. A byte that is sent again is not hashed again.
   */
  #hashedBytes = 0;

  constructor(private readonly options: SenderOptions) {
    this.#credit = new CreditWindow(options.request.max_offset, options.request.offset);
    this.#chunkSize = Math.min(options.chunkSize, options.request.chunk_size);
    this.#hash = new Bun.CryptoHasher(options.request.checksum);
    this.#allowance = new Allowance(options.dailyLimit);
    const compress = options.compress && options.request.accepts?.includes(ZSTD);
    this.#compressor = compress ? new Compressor() : null;
  }

  get requestDetails(): RequestDetails {
    const { download_id, file_path } = this.options.request;
    return { download_id, file_path };
  }

  /**
   * Sends the file until the server reports the request as done or cancels it, or until the connection ends.
   * Never rejects.
   */
  async run(): Promise<RequestResult> {
    const { request, roots, logger } = this.options;
    try {
      const file = await roots.openFile(request.file_path);
      try {
        await this.#deliver(file);
      } finally {
        await file.close();
        await this.#allowance.end();
      }
    } catch (error) {
      const reason = this.#reportError(error);
      // An error after the stream was stopped does not count as a refusal.
      if (!this.#stopped) return { outcome: "refused", bytesSent: this.#sentBytes, reason };
    }
    logger.info(`file ${this.#stopped === "done" ? "delivered" : `not sent: ${this.#stopped}`}`);
    const outcome = this.#stopped === "done" ? "sent" : (this.#stopped ?? "disconnected");
    return { outcome, bytesSent: this.#sentBytes };
  }

  /** Reports whether at least this many bytes were sent in this attempt. */
  hasSent(bytes: number): boolean {
    return this.#offset - this.#startOffset >= bytes;
  }

  /** Lets the stream send all bytes below an offset, see {@link CreditWindow.grant}. */
  grant(maxOffset: number): void {
    this.#credit.grant(maxOffset, this.#offset);
    this.#wake();
  }

  /** Sends everything from an offset on again, because the frame at this offset arrived damaged. */
  resend(offset: number): void {
    this.#resendFrom = offset;
    this.#wake();
  }

  stop(reason: StopReason): void {
    this.#stopped ??= reason;
    this.#wake();
  }

  onSetMessage(): never {
    throw new FdsError("protocol_error", "a file is no set");
  }

  async #deliver(file: SourceFile): Promise<void> {
    const source = await this.#open(file);
    const blocks = new BlockReader(file, (offset) => this.#blockSize(offset));
    try {
      await this.#sendAll(source, blocks);
    } finally {
      await blocks.close();
    }
  }

  async #sendAll(source: Source, blocks: BlockReader): Promise<void> {
    const { checksum } = this.options.request;
    let digest: string | undefined;
    while (!this.#stopped) {
      await this.#sendRest(blocks);
      if (this.#stopped) return;
      digest ??= this.#hash.digest("hex");
      await source.confirm(digest, this.#progressReporter());
      this.#send({
        type: "file_complete",
        identity: source.start.identity,
        total_size: this.#totalSize,
        [checksum]: digest,
      });
      // The server answers with `done`, or with a request to send a damaged frame again.
      while (!this.#stopped && this.#resendFrom === undefined) await this.#waitForWake();
    }
  }

  async #open(file: SourceFile): Promise<Source> {
    const { request, logger } = this.options;
    const source = await Source.open(file, request, this.#progressReporter());
    const { offset, totalSize, hash, identity, reason } = source.start;
    this.#startOffset = this.#offset = this.#hashedBytes = offset;
    this.#totalSize = totalSize;
    this.#hash = hash;
    await this.#allowance.ensure(totalSize - offset);
    if (reason !== undefined) logger.warn(`starts over: ${reason}`);
    // The credit in the request is for sending from the request's offset on. When the file starts over, this
    // credit is dropped.
    if (offset < request.offset) this.#credit.withdraw();
    this.#send({ type: "file_start", identity, total_size: totalSize, offset, reason });
    return source;
  }

  /**
   * Returns a callback that reports to the server how many bytes of the file were hashed again. The callback
   * returns false once the stream was stopped.
   */
  #progressReporter(): OnProgress {
    return progressReporter(
      (offset) => this.#send({ type: "proving", offset }),
      () => this.#stopped === undefined,
    );
  }

  /** Sends the file from the current offset to its end. */
  async #sendRest(blocks: BlockReader): Promise<void> {
    while (!this.#stopped) {
      if (this.#resendFrom !== undefined) {
        this.#offset = this.#resendFrom;
        this.#resendFrom = undefined;
      }
      if (this.#offset >= this.#totalSize) return;
      const block = await blocks.blockAt(this.#offset);
      if (block.length === 0) {
        throw new FdsError("source_changed", "the file became shorter while it was read");
      }
      this.#hashNewBytes(block);
      await this.#sendBlock(block);
    }
  }

  #blockSize(offset: number): number {
    const size = this.options.scheduler.frameSize(this.#credit.frameSize(this.#chunkSize));
    return Math.max(0, Math.min(size, this.#totalSize - offset));
  }

  #hashNewBytes(block: Uint8Array): void {
    const alreadyHashed = Math.min(block.length, this.#hashedBytes - this.#offset);
    this.#hash.update(alreadyHashed === 0 ? block : block.subarray(alreadyHashed));
    this.#hashedBytes += block.length - alreadyHashed;
  }

  async #sendBlock(block: Uint8Array<ArrayBuffer>): Promise<void> {
    const { scheduler, request } = this.options;
    const { stream, epoch } = request;
    const end = this.#offset + block.length;
    for (let rest = block; rest.length > 0;) {
      while (!this.#isInterrupted() && this.#credit.maxOffset <= this.#offset)
        await this.#waitForWake();
      if (this.#isInterrupted()) return;
      let part = this.#sendablePart(rest);
      const packed = (await this.#compressor?.pack(this.#offset, part)) ?? null;
      // The file's bytes were reserved in the daily limit once, at the start. Bytes that are sent again need
      // a further reservation.
      await this.#allowance.ensure(rest.length);
      await this.#waitForTurn();
      if (this.#isInterrupted()) return;
      // If the bytes are sent uncompressed, credit that arrived during the compression is used too.
      if (!packed) part = this.#sendablePart(rest);
      scheduler.send({ stream, epoch, offset: this.#offset }, part, packed);
      this.#allowance.spend(part.length);
      this.#offset += part.length;
      this.#sentBytes += part.length;
      rest = block.subarray(block.length - (end - this.#offset));
    }
  }

  /**
   * Waits for this file's turn to send. The wait also ends when the stream is stopped or the server asks for
   * a frame again, because on a slow connection the turn may take long to come.
   */
  #waitForTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        if (this.#isInterrupted()) resolve();
      };
      void this.options.scheduler.waitForTurn().then(resolve);
    });
  }

  /** Returns the first bytes of `rest`, as many as credit and frame size allow. */
  #sendablePart(rest: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    return rest.subarray(0, Math.min(this.#credit.maxOffset - this.#offset, this.#chunkSize));
  }

  #isInterrupted(): boolean {
    return this.#stopped !== undefined || this.#resendFrom !== undefined;
  }

  #waitForWake(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /**
   * Logs why the file is not sent, and tells the server unless the stream was stopped.
   * @returns the error's code and message, in one line
   */
  #reportError(error: unknown): string {
    const { logger } = this.options;
    const { code, message } = clientErrorOf(error);
    logger.warn(`file not sent: ${message}`, { code });
    if (!this.#stopped) {
      this.#send({ type: "error", code, message: message.slice(0, MAX_ERROR_LENGTH) });
    }
    return `${code}: ${message}`;
  }

  #send(message: AttemptMessage): void {
    const { stream, epoch } = this.options.request;
    this.options.send({ ...message, stream, epoch });
  }
}

/** A message about this attempt, without the stream and epoch that all such messages carry. */
type AttemptMessage = WithoutAddress<ClientStreamMessage>;
type WithoutAddress<T> = T extends unknown ? Omit<T, "stream" | "epoch"> : never;
