import { FdsError, type Problem, problemOf } from "../protocol/errors.ts";
import type { Frame } from "../protocol/frame.ts";
import { stillTheSame } from "../protocol/identity.ts";
import type {
  ClientMessage,
  FileComplete,
  FileStart,
  ServerMessage,
} from "../protocol/messages.ts";
import type { Logger } from "../util/logger.ts";
import { RateMeter } from "../util/rate-meter.ts";
import { formatSize } from "../util/sizes.ts";
import type { CreditPool, StreamCredit } from "./credit.ts";
import type { Download, DownloadEvent, Downloading, Source } from "./download.ts";
import type { Part, Storage } from "./storage/storage.ts";

/** The safe offset is moved after this many bytes or this many ms, whichever comes first. */
const CHECKPOINT_BYTES = 8 * 1024 * 1024;
const CHECKPOINT_MS = 250;
/** A chunk that came damaged is asked for again this often. */
const MAX_RESENDS = 3;
/** A client that owes an answer and gives none for this long, in ms, is given up. */
const STALLED_AFTER_MS = 60_000;
/** Bytes read at a time of a prefix: a hash of this many holds the event loop for about 1.5 ms. */
const PREFIX_BLOCK = 1024 * 1024;

/** The connection as a receiver sees it. */
export interface ClientLink {
  send(message: ServerMessage): void;
  /** The least that was seen, in ms. */
  roundTripMs(): number;
}

export interface ReceiverOptions {
  download: Downloading;
  /** The number of this download on its connection. */
  stream: number;
  /** Most bytes in a frame, as agreed with the client. */
  chunkSize: number;
  link: ClientLink;
  storage: Storage;
  credit: CreditPool;
  /** Bytes that must stay free on the disk. */
  minFreeDisk: number;
  /** Records what happened; gives the download as it then is. */
  report: (event: DownloadEvent) => Promise<Download>;
  logger: Logger;
}

/** How an attempt ended. */
export type Outcome =
  | { type: "received"; md5: string; size: number }
  | { type: "lost" }
  | { type: "failed"; problem: Problem; final?: boolean }
  /** The download's row says already how it goes on. */
  | { type: "abandoned" };

/** What is known of an incoming file at this moment; fresher than the row. */
export interface Progress {
  bytesReceived: number;
  bytesPerSecond: number | null;
}

/**
 * One incoming file: from the request to a part on the disk that is whole, flushed and has the
 * client's MD5, or to a safe offset from which the next attempt goes on.
 */
export class Receiver {
  readonly #outcome = Promise.withResolvers<Outcome>();
  #over = false;
  #part: Part | undefined;
  #credit: StreamCredit | undefined;
  #source: Source | undefined;
  #started = false;
  #restartReason: string | undefined;
  #complete: FileComplete | undefined;
  #hash = new Bun.CryptoHasher("md5");

  /** Where the next frame must begin; what lies below is here, perhaps not yet written. */
  #arrived: number;
  #written: number;
  #safe: number;
  #queue: Uint8Array[] = [];
  #pumping: Promise<void> | undefined;

  #checkpointing: Promise<void> | undefined;
  #checkpointTimer: Timer | undefined;
  #resends = 0;
  #resending = false;
  #heardAt = performance.now();
  readonly #rate = new RateMeter();

  constructor(private readonly options: ReceiverOptions) {
    this.#safe = this.#arrived = this.#written = options.download.safeOffset;
  }

  get epoch(): number {
    return this.options.download.epoch;
  }

  /** Resolves when nothing more is taken for this attempt. */
  get ended(): Promise<Outcome> {
    return this.#outcome.promise;
  }

  get progress(): Progress {
    return { bytesReceived: this.#written, bytesPerSecond: this.#rate.bytesPerSecond() };
  }

  /** Runs until the attempt has ended and the part is closed; never rejects. */
  async run(): Promise<Outcome> {
    try {
      await this.#checkRoom();
      this.#part = await this.options.storage.openPart(this.options.download.downloadId);
      await this.#request(this.#part);
    } catch (error) {
      this.#fail(problemOf(error, "storage_error"));
    }
    const outcome = await this.#outcome.promise;
    await this.#wrapUp(outcome);
    return outcome;
  }

  /** The connection is gone, or the server shuts down: what has arrived is kept. */
  lose(): void {
    this.#end({ type: "lost" });
  }

  /** The row was changed by somebody else, a cancel for one: nothing is kept. */
  abandon(): void {
    this.#end({ type: "abandoned" });
  }

  /** The file is published: the client can forget it. */
  confirm(): void {
    this.#tell({ type: "done" });
  }

  /** The client broke the protocol. */
  violated(error: FdsError): void {
    this.#fail({
      code: "protocol_error",
      message: `the client broke the protocol: ${error.message}`,
    });
  }

  /** Called now and then: ends the attempt if the client owes an answer for too long. */
  checkStalled(): void {
    if (!this.#clientsTurn()) {
      this.#heardAt = performance.now();
    } else if (performance.now() - this.#heardAt > STALLED_AFTER_MS) {
      const seconds = STALLED_AFTER_MS / 1000;
      this.#fail({ code: "client_timeout", message: `the client sent nothing for ${seconds} s` });
    }
  }

  /** False while it is for the server to read, to write or to grant. */
  #clientsTurn(): boolean {
    if (!this.#credit || this.#complete || this.#queue.length > 0) return false;
    if (!this.#started || !this.#source) return true;
    return this.#arrived < this.#credit.maxOffset || this.#arrived === this.#source.totalSize;
  }

  /** @throws FdsError `protocol_error` */
  onMessage(message: Exclude<ClientMessage, { type: "register" }>): void {
    this.#heardAt = performance.now();
    if (this.#over) return;
    switch (message.type) {
      case "proving":
        return;
      case "error":
        return this.#fail({ code: message.code, message: message.message });
      case "file_start":
        return this.#onStart(message);
      case "file_complete":
        return this.#onComplete(message);
    }
  }

  /**
   * Takes a frame of this attempt. What it may not be is refused before anything is kept of it.
   * @throws FdsError `protocol_error`
   */
  onFrame(frame: Frame): void {
    this.#heardAt = performance.now();
    if (this.#over) return;
    if (!this.#source || !this.#credit) throw broken("a frame came before file_start");
    if (frame.offset + frame.payload.length > this.#credit.maxOffset) {
      throw broken(`a frame reaches beyond the ${this.#credit.maxOffset} bytes granted`);
    }
    if (frame.offset !== this.#arrived) {
      // What was under way when the damaged chunk was asked for again.
      if (this.#resending && frame.offset > this.#arrived) return;
      throw broken(`a frame begins at ${frame.offset}, expected ${this.#arrived}`);
    }
    if (!frame.intact) return this.#askAgain();
    this.#resending = false;
    this.#resends = 0;
    this.#arrived += frame.payload.length;
    this.#queue.push(frame.payload);
    this.#pump();
  }

  async #request(part: Part): Promise<void> {
    const { download, link, stream, chunkSize, credit } = this.options;
    const have = await part.size();
    // A part that is shorter than what was recorded proves nothing: begin at the first byte.
    const offset = have < download.safeOffset ? 0 : download.safeOffset;
    if (have < download.safeOffset) this.#restartReason = "the part file is shorter than recorded";
    await part.truncate(offset);
    const prefixMd5 = await this.#hashPrefix(part, offset);
    if (this.#over) return;
    this.#arrived = this.#written = offset;
    this.#credit = credit.open({
      offset,
      roundTripMs: () => link.roundTripMs(),
      onGrant: (maxOffset) => {
        if (this.#started && !this.#over) this.#tell({ type: "credit", max_offset: maxOffset });
      },
    });
    this.#credit.grant();
    this.#heardAt = performance.now();
    link.send({
      type: "download_request",
      stream,
      epoch: download.epoch,
      download_id: download.downloadId,
      file_path: download.filePath,
      chunk_size: chunkSize,
      offset,
      ...(download.source &&
        offset > 0 && {
          resume: {
            prefix_md5: prefixMd5,
            identity: download.source.identity,
            total_size: download.source.totalSize,
          },
        }),
      max_offset: this.#credit.maxOffset,
    });
  }

  /** Reads again what is on our own disk, a block at a time so that other transfers go on. */
  async #hashPrefix(part: Part, length: number): Promise<string> {
    for (let offset = 0; offset < length && !this.#over;) {
      const block = await part.read(offset, Math.min(PREFIX_BLOCK, length - offset));
      if (block.length === 0) {
        throw new FdsError("storage_error", "the part file became shorter while it was read");
      }
      this.#hash.update(block);
      offset += block.length;
    }
    return this.#hash.copy().digest("hex");
  }

  #onStart(message: FileStart): void {
    if (this.#source) throw broken("file_start came twice");
    const { download, chunkSize } = this.options;
    const resumes = message.offset > 0;
    if (message.offset !== this.#arrived && resumes) {
      throw broken(`file_start begins at ${message.offset}, expected ${this.#arrived} or 0`);
    }
    if (resumes && message.total_size !== download.source?.totalSize) {
      throw broken(`file_start says ${message.total_size} bytes, expected the size agreed before`);
    }
    if (message.identity.size < message.total_size) {
      throw broken("file_start offers more bytes than the file has");
    }
    this.#source = { identity: message.identity, totalSize: message.total_size, chunkSize };
    this.#start(message, this.#source).catch((error: unknown) =>
      this.#fail(problemOf(error, "storage_error")),
    );
  }

  async #start(message: FileStart, source: Source): Promise<void> {
    if (message.offset < this.#arrived) {
      this.#hash = new Bun.CryptoHasher("md5");
      this.#arrived = this.#written = 0;
      this.#credit?.restart();
      await this.#part?.truncate(0);
    }
    this.#safe = message.offset;
    await this.#checkRoom();
    const { epoch } = this.options.download;
    const { offset, reason = this.#restartReason } = message;
    const now = Date.now();
    const after = await this.options.report({
      type: "started",
      epoch,
      now,
      source,
      offset,
      reason,
    });
    if (this.#over) return;
    if (after.status !== "downloading" || after.epoch !== epoch) return this.abandon();
    // The first reading's identity is what the last one is compared with.
    this.#source = after.source ?? source;
    this.#credit?.endsAt(source.totalSize);
    this.#credit?.grant();
    this.#started = true;
    this.#tell({ type: "credit", max_offset: this.#credit?.maxOffset ?? 0 });
    this.#rate.add(0);
    this.#pump();
  }

  #onComplete(message: FileComplete): void {
    if (!this.#source || this.#complete) throw broken("file_complete came at the wrong time");
    // It was sent before the client heard that a chunk is wanted again; it will come again.
    if (this.#resending) return;
    const { totalSize } = this.#source;
    if (message.total_size !== totalSize || this.#arrived !== totalSize) {
      throw broken(
        `file_complete says ${message.total_size} bytes, ${this.#arrived} of ${totalSize} came`,
      );
    }
    this.#complete = message;
    this.#pump();
  }

  #askAgain(): void {
    this.#resending = true;
    if (++this.#resends > MAX_RESENDS) {
      const message = `the chunk at ${this.#arrived} came damaged ${this.#resends} times`;
      return this.#fail({ code: "checksum_mismatch", message }, true);
    }
    this.options.logger.warn("a chunk came damaged and is asked for again", {
      offset: this.#arrived,
    });
    this.#tell({ type: "resend", offset: this.#arrived });
  }

  #pump(): void {
    if (this.#pumping || !this.#started) return;
    this.#pumping = this.#writeQueued()
      .catch((error: unknown) => this.#fail(problemOf(error, "storage_error")))
      .finally(() => {
        this.#pumping = undefined;
      });
  }

  /** Writes what has arrived, in order, one chunk at a time; hashes while the disk works. */
  async #writeQueued(): Promise<void> {
    const part = this.#part;
    if (!part) return;
    for (let chunk = this.#queue.shift(); chunk; chunk = this.#queue.shift()) {
      const writing = part.write(chunk, this.#written);
      this.#hash.update(chunk);
      await writing;
      this.#written += chunk.length;
      this.#rate.add(chunk.length);
      this.#credit?.wrote(chunk.length);
      this.#scheduleCheckpoint();
    }
    if (this.#complete && !this.#over) await this.#verify(part, this.#complete);
  }

  async #verify(part: Part, complete: FileComplete): Promise<void> {
    clearTimeout(this.#checkpointTimer);
    await this.#checkpointing;
    const source = this.#source;
    if (!source || this.#over) return;
    if (!stillTheSame(source.identity, complete.identity)) {
      const message = "the file changed while it was read";
      return this.#fail({ code: "source_changed", message });
    }
    const md5 = this.#hash.digest("hex");
    if (md5 !== complete.md5) {
      const message = `the MD5 of what was stored is ${md5}, the client's is ${complete.md5}`;
      return this.#fail({ code: "checksum_mismatch", message });
    }
    await part.sync();
    this.#end({ type: "received", md5, size: source.totalSize });
  }

  #scheduleCheckpoint(): void {
    if (this.#over || this.#checkpointing) return;
    if (this.#written - this.#safe >= CHECKPOINT_BYTES) {
      this.#checkpoint();
    } else {
      this.#checkpointTimer ??= setTimeout(() => this.#checkpoint(), CHECKPOINT_MS);
    }
  }

  #checkpoint(): void {
    clearTimeout(this.#checkpointTimer);
    this.#checkpointTimer = undefined;
    if (this.#checkpointing) return;
    this.#checkpointing = this.#makeSafe()
      .then(() => this.#checkRoom())
      .catch((error: unknown) => this.#fail(problemOf(error, "storage_error")))
      .finally(() => {
        this.#checkpointing = undefined;
        if (this.#written > this.#safe) this.#scheduleCheckpoint();
      });
  }

  /** First the bytes, then the row: the safe offset never says more than the disk holds. */
  async #makeSafe(): Promise<void> {
    const safeOffset = this.#written;
    if (!this.#part || safeOffset === this.#safe) return;
    await this.#part.sync();
    const { epoch } = this.options.download;
    const after = await this.options.report({ type: "checkpoint", epoch, safeOffset });
    this.#safe = safeOffset;
    if (after.status !== "downloading" || after.epoch !== epoch) this.abandon();
  }

  /** @throws FdsError `storage_full` when the rest of the file would not leave enough free */
  async #checkRoom(): Promise<void> {
    const { storage, minFreeDisk, download } = this.options;
    const { free, total } = await storage.room();
    const totalSize = this.#source?.totalSize ?? download.source?.totalSize ?? 0;
    if (totalSize + minFreeDisk > total) {
      const message = `a disk of ${formatSize(total)} can never hold the file's ${formatSize(totalSize)}`;
      return this.#fail({ code: "storage_full", message }, true);
    }
    const missing = totalSize - this.#written;
    if (free - missing < minFreeDisk) {
      const message = `the disk has ${formatSize(free)} free, the file needs ${formatSize(missing)} more and ${formatSize(minFreeDisk)} must stay free`;
      throw new FdsError("storage_full", message);
    }
  }

  #tell(message: DistributiveOmit<AttemptCommand, "stream" | "epoch">): void {
    const { stream, link, download } = this.options;
    link.send({ ...message, stream, epoch: download.epoch });
  }

  #fail(problem: Problem, final = false): void {
    this.#end({ type: "failed", problem, final });
  }

  #end(outcome: Outcome): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#checkpointTimer);
    if (outcome.type === "failed" || outcome.type === "abandoned") this.#tell({ type: "cancel" });
    this.#outcome.resolve(outcome);
  }

  /** Keeps what arrived in order where the next attempt can use it, and lets go of everything. */
  async #wrapUp(outcome: Outcome): Promise<void> {
    const diskFailed = outcome.type === "failed" && outcome.problem.code.startsWith("storage_");
    if (outcome.type === "abandoned" || diskFailed) this.#queue.length = 0;
    try {
      await this.#pumping;
      await this.#checkpointing;
      if (outcome.type === "lost" || (outcome.type === "failed" && !diskFailed)) {
        await this.#makeSafe();
      }
      await this.#part?.close();
    } catch (error) {
      this.options.logger.warn(
        `could not keep the last bytes: ${problemOf(error, "storage_error").message}`,
      );
    }
    clearTimeout(this.#checkpointTimer);
    this.#credit?.close();
  }
}

type AttemptCommand = Extract<ServerMessage, { type: "credit" | "resend" | "cancel" | "done" }>;
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

function broken(message: string): FdsError {
  return new FdsError("protocol_error", message);
}
