import { CHECKSUM_NAMES } from "../../protocol/checksum.ts";
import { FdsError, type Problem, problemOf } from "../../protocol/errors.ts";
import type { Frame } from "../../protocol/frame.ts";
import { stillTheSame } from "../../protocol/identity.ts";
import {
  type ClientMessage,
  type FileComplete,
  type FileStart,
  type ServerMessage,
  ZSTD,
} from "../../protocol/messages.ts";
import type { Logger } from "../../util/logger.ts";
import type { OneByOne } from "../../util/one-by-one.ts";
import { RateMeter } from "../../util/rate-meter.ts";
import type { CreditPool, StreamCredit } from "./flow-control.ts";
import type { Download, DownloadEvent, Downloading, Source } from "../download.ts";
import { IncomingFrames } from "./incoming-frames.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { CHECKPOINT_BYTES, PartWriter } from "./part-writer.ts";
import { findNoRoom, type NoRoom } from "./free-space.ts";
import type { Part, Storage } from "../storage/storage.ts";

/** A chunk that came damaged is asked for again this often. */
const MAX_RESENDS = 3;
/** A client that owes an answer and gives none for this long, in ms, is given up. */
const STALLED_AFTER_MS = 60_000;

/** The connection as a receiver sees it. */
export interface ClientLink {
  send(message: ServerMessage): void;
  /** The least that was seen of late, in ms. */
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
  /** Of all receivers. */
  checkpoints: OneByOne;
  /** Of all receivers, too: what one takes of a quota is recorded before the next one looks. */
  starts: OneByOne;
  /** Bytes that must stay free on the disk. */
  minFreeDisk: number;
  /** Whether a file of so many bytes is more than is allowed. */
  findOverQuota: (totalSize: number) => Promise<NoRoom | null>;
  /** Records what happened; gives the download as it then is. */
  report: (event: DownloadEvent) => Promise<Download>;
  metrics: Metrics;
  logger: Logger;
}

/** How an attempt ended. */
export type Outcome =
  | { type: "received"; digest: string; size: number; bytesOnWire: number }
  | { type: "lost" }
  | { type: "failed"; problem: Problem; final?: boolean }
  /** The download's row says already how it goes on. */
  | { type: "abandoned" };

/** What is known of an incoming file at this moment; fresher than the row. */
export interface Progress {
  bytesReceived: number;
  bytesOnWire: number;
  bytesPerSecond: number | null;
}

/**
 * One incoming file: from the request to a part on the disk that is whole, flushed and has the
 * client's checksum, or to a safe offset from which the next attempt goes on.
 */
export class Receiver {
  readonly #outcome = Promise.withResolvers<Outcome>();
  readonly #frames: IncomingFrames;
  #over = false;
  /** The client has sent everything, and keeps the file open until it hears what became of it. */
  #isAwaited = false;
  #writer: PartWriter | undefined;
  #credit: StreamCredit | undefined;
  #source: Source | undefined;
  /** The row says where it begins: from now on chunks may be written. */
  #started = false;
  #restartReason: string | undefined;
  #complete: FileComplete | undefined;

  /** How far the client has read again what the server has. */
  #proven = 0;
  #heardAt = performance.now();
  readonly #rate = new RateMeter();
  #rateLimit: number | null;

  constructor(private readonly options: ReceiverOptions) {
    const { download, metrics } = options;
    this.#rateLimit = download.rateLimit;
    this.#frames = new IncomingFrames({
      bytesOnWire: download.bytesOnWire,
      isOver: () => this.#over,
      onBytes: (bytes) => this.#writer?.push(bytes),
      onDamaged: (offset, times) => this.#askAgain(offset, times),
      metrics,
    });
  }

  get epoch(): number {
    return this.options.download.epoch;
  }

  /** Resolves when nothing more is taken for this attempt. */
  get ended(): Promise<Outcome> {
    return this.#outcome.promise;
  }

  get progress(): Progress {
    const bytesReceived = this.#started ? this.#writer?.written : undefined;
    return {
      bytesReceived: bytesReceived ?? this.options.download.safeOffset,
      bytesOnWire: this.#frames.bytesOnWire,
      bytesPerSecond: this.#rate.bytesPerSecond(),
    };
  }

  /** Runs until the attempt has ended and the part is closed; never rejects. */
  async run(): Promise<Outcome> {
    const { storage, download } = this.options;
    try {
      // Whether there is room for anything at all was looked at when it was claimed.
      if (download.source) await this.#checkRoom();
      const part = await storage.openPart(download.downloadId);
      this.#writer = this.#writerTo(part);
      await this.#request(part, this.#writer);
    } catch (error) {
      this.broke(error);
    }
    const outcome = await this.#outcome.promise;
    await this.#close(outcome);
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

  /** @param rateLimit most bytes a second; null: without a limit */
  limitRate(rateLimit: number | null): void {
    this.#rateLimit = rateLimit;
    this.#credit?.limitRate(rateLimit);
  }

  /** The file is published: the client can forget it. */
  confirm(): void {
    this.#isAwaited = false;
    this.#tell({ type: "done" });
  }

  /** The attempt is over, and if the file is not published, a client that sent all of it hears so. */
  dismiss(): void {
    if (this.#isAwaited) this.#tell({ type: "cancel" });
  }

  /** The client broke the protocol. */
  violated(error: FdsError): void {
    const message = `the client broke the protocol: ${error.message}`;
    this.#fail({ code: "protocol_error", message });
  }

  /** Something was thrown: it ends this attempt and nothing else. A bug keeps its stack in the log. */
  broke(error: unknown): void {
    if (!(error instanceof FdsError)) {
      this.options.logger.error("a download met an error of the server", {}, error);
    }
    this.#fail(problemOf(error, "storage_error"));
  }

  /** Called now and then: ends the attempt if the client owes an answer for too long. */
  checkStalled(): void {
    if (!this.#isClientsTurn()) {
      this.#heardAt = performance.now();
    } else if (performance.now() - this.#heardAt > STALLED_AFTER_MS) {
      const seconds = STALLED_AFTER_MS / 1000;
      this.#fail({ code: "client_timeout", message: `the client sent nothing for ${seconds} s` });
    }
  }

  /** False while it is for the server to read, to write or to grant. */
  #isClientsTurn(): boolean {
    if (!this.#credit || this.#complete) return false;
    if (!this.#source) return true;
    const { idle, arrived } = this.#frames;
    if (!this.#started || !idle || !this.#writer?.idle) return false;
    return arrived < this.#credit.maxOffset || arrived === this.#source.totalSize;
  }

  /** @throws FdsError `protocol_error` */
  onMessage(message: Exclude<ClientMessage, { type: "register" }>): void {
    if (this.#over) return;
    if (message.type === "proving") return this.#onProving(message.offset);
    this.#heardAt = performance.now();
    switch (message.type) {
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
    const end = frame.offset + frame.rawLength;
    if (end > this.#source.totalSize) throw broken("a frame reaches beyond the end of the file");
    if (end > this.#credit.maxOffset) {
      throw broken(`a frame reaches beyond the ${this.#credit.maxOffset} bytes granted`);
    }
    this.#frames.take(frame);
  }

  #writerTo(part: Part): PartWriter {
    return new PartWriter({
      part,
      checksum: this.options.download.checksum,
      checkpoints: this.options.checkpoints,
      onWritten: (bytes) => {
        this.#rate.add(bytes);
        this.#credit?.wrote(bytes);
      },
      onSafe: async (safeOffset) => {
        const bytesOnWire = this.#frames.bytesOnWire;
        await this.#report({ type: "checkpoint", epoch: this.epoch, safeOffset, bytesOnWire });
        if (this.#over) return;
        this.#credit?.flushed(safeOffset);
        await this.#checkRoom();
      },
      onError: (error) => this.broke(error),
    });
  }

  async #request(part: Part, writer: PartWriter): Promise<void> {
    const { download, link, chunkSize, credit } = this.options;
    const { source, safeOffset, checksum } = download;
    // A part that is shorter than what was recorded proves nothing: begin at the first byte.
    const isShort = part.size < safeOffset;
    if (isShort) this.#restartReason = "the part file is shorter than recorded";
    const offset = isShort ? 0 : safeOffset;
    const prefix = await writer.continueFrom(offset, () => !this.#over);
    if (this.#over) return;
    this.#frames.beginAt(offset);
    this.#credit = credit.open({
      offset,
      maxUnsafe: CHECKPOINT_BYTES,
      rateLimit: this.#rateLimit,
      roundTripMs: () => link.roundTripMs(),
      onGrant: (max_offset) => {
        if (this.#started && !this.#over) this.#tell({ type: "credit", max_offset });
      },
    });
    this.#credit.grant();
    this.#heardAt = performance.now();
    this.#tell({
      type: "download_request",
      download_id: download.downloadId,
      file_path: download.filePath,
      chunk_size: chunkSize,
      offset,
      checksum,
      ...(source &&
        offset > 0 && {
          resume: {
            [`prefix_${checksum}`]: prefix,
            identity: source.identity,
            total_size: source.totalSize,
          },
        }),
      max_offset: this.#credit.maxOffset,
      accepts: [ZSTD],
    });
  }

  /**
   * A long reading counts as an answer as long as it gets somewhere: that of what the server has,
   * and once more of all the file where its times changed while it was sent.
   */
  #onProving(offset: number): void {
    const { arrived } = this.#frames;
    if (this.#source && arrived < this.#source.totalSize) return;
    if (offset <= this.#proven || offset > arrived) return;
    this.#proven = offset;
    this.#heardAt = performance.now();
  }

  #onStart(message: FileStart): void {
    if (this.#source || !this.#credit) throw broken("file_start came at the wrong time");
    const { download, chunkSize } = this.options;
    const { arrived } = this.#frames;
    const resumes = message.offset > 0;
    if (message.offset !== arrived && resumes) {
      throw broken(`file_start begins at ${message.offset}, expected ${arrived} or 0`);
    }
    if (resumes && message.total_size !== download.source?.totalSize) {
      throw broken(`file_start says ${message.total_size} bytes, expected the size agreed before`);
    }
    if (message.identity.size < message.total_size) {
      throw broken("file_start offers more bytes than the file has");
    }
    if (message.offset < arrived) {
      this.#frames.beginAt(0);
      this.#credit.restart();
    }
    this.#source = { identity: message.identity, totalSize: message.total_size, chunkSize };
    this.#proven = 0;
    this.#start(message, this.#source, this.#credit).catch((error: unknown) => this.broke(error));
  }

  async #start(message: FileStart, source: Source, credit: StreamCredit): Promise<void> {
    const { offset } = message;
    const after = await this.options.starts.run(() => this.#recordStart(message, source));
    // The row first: it must never say more than the part holds.
    if (!this.#over && offset < (this.#writer?.written ?? 0)) await this.#writer?.startOver();
    if (this.#over) return;
    // What the last reading is compared with is the first one, perhaps of an earlier attempt.
    this.#source = after?.source ?? source;
    this.#started = true;
    this.options.metrics.resumedBytes += offset;
    credit.endsAt(source.totalSize);
    credit.grant();
    this.#tell({ type: "credit", max_offset: credit.maxOffset });
    this.#rate.add(0);
    this.#frames.open();
    if (this.#complete) await this.#verify(this.#complete);
  }

  /** @returns the download as it now is, or null where the attempt is over */
  async #recordStart(message: FileStart, source: Source): Promise<Downloading | null> {
    const { offset, reason = this.#restartReason } = message;
    await this.#checkRoom();
    const overQuota = await this.options.findOverQuota(source.totalSize);
    if (overQuota) this.#fail(overQuota.problem, overQuota.final);
    if (this.#over) return null;
    const { epoch } = this;
    return this.#report({ type: "started", epoch, now: Date.now(), source, offset, reason });
  }

  #onComplete(message: FileComplete): void {
    if (!this.#source || this.#complete) throw broken("file_complete came at the wrong time");
    // It was sent before the client heard that a chunk is wanted again; it will come again.
    if (this.#frames.resending) return;
    const { arrived } = this.#frames;
    const { totalSize } = this.#source;
    if (message.total_size !== totalSize || arrived !== totalSize) {
      const came = `${arrived} of ${totalSize} came`;
      throw broken(`file_complete says ${message.total_size} bytes, ${came}`);
    }
    this.#complete = message;
    if (!this.#started) return;
    this.#verify(message).catch((error: unknown) => this.broke(error));
  }

  async #verify(complete: FileComplete): Promise<void> {
    await this.#frames.settled();
    if (this.#complete !== complete) return;
    const digest = await this.#writer?.seal();
    if (this.#over || digest === undefined || !this.#source) return;
    if (!stillTheSame(this.#source.identity, complete.identity)) {
      const message = "the file changed while it was read";
      return this.#fail({ code: "source_changed", message });
    }
    const { checksum } = this.options.download;
    const name = CHECKSUM_NAMES[checksum];
    const theirs = complete[checksum];
    if (theirs === undefined) {
      const message = `update the client: it gave no ${name} of the file`;
      return this.#fail({ code: "protocol_error", message }, true);
    }
    if (digest !== theirs) {
      this.options.metrics.checksumFailures++;
      const message = `the ${name} of what was stored is ${digest}, the client's is ${theirs}`;
      return this.#fail({ code: "checksum_mismatch", message });
    }
    const size = this.#source.totalSize;
    this.#isAwaited = true;
    this.#end({ type: "received", digest, size, bytesOnWire: this.#frames.bytesOnWire });
  }

  #askAgain(offset: number, times: number): void {
    // Whatever came behind the chunk comes again, and then the client says again that it is all.
    this.#complete = undefined;
    if (times > MAX_RESENDS) {
      const message = `the chunk at ${offset} came damaged ${times} times`;
      return this.#fail({ code: "checksum_mismatch", message }, true);
    }
    this.options.logger.warn("a chunk came damaged and is asked for again", { offset });
    this.#tell({ type: "resend", offset });
  }

  /** @returns the download as it now is, or null if it is no longer this attempt's */
  async #report(event: DownloadEvent): Promise<Downloading | null> {
    const after = await this.options.report(event);
    if (after.status === "downloading" && after.epoch === this.epoch) return after;
    this.abandon();
    return null;
  }

  /** Ends the attempt when the rest of the file would not leave enough of the disk free. */
  async #checkRoom(): Promise<void> {
    const { storage, minFreeDisk, download } = this.options;
    const totalSize = (this.#source ?? download.source)?.totalSize ?? 0;
    const written = this.#writer ? this.#writer.written : download.safeOffset;
    const noRoom = await findNoRoom(storage, totalSize, written, minFreeDisk);
    if (noRoom) this.#fail(noRoom.problem, noRoom.final);
  }

  #tell(message: WithoutAddress<Exclude<ServerMessage, { type: "registered" }>>): void {
    const { stream, link } = this.options;
    link.send({ ...message, stream, epoch: this.epoch });
  }

  #fail(problem: Problem, final = false): void {
    this.#end({ type: "failed", problem, final });
  }

  #end(outcome: Outcome): void {
    if (this.#over) return;
    this.#over = true;
    if (outcome.type === "failed" || outcome.type === "abandoned") this.#tell({ type: "cancel" });
    this.#outcome.resolve(outcome);
  }

  /** Keeps what arrived in order where the next attempt can use it, and lets go of everything. */
  async #close(outcome: Outcome): Promise<void> {
    const keep = outcome.type === "lost" || outcome.type === "failed";
    try {
      if (!keep) this.#frames.stop();
      await this.#frames.settled();
      await this.#writer?.close(keep);
    } catch (error) {
      const { message } = problemOf(error, "storage_error");
      this.options.logger.warn(`the last bytes were not kept: ${message}`);
    }
    this.#credit?.close();
  }
}

type WithoutAddress<T> = T extends unknown ? Omit<T, "stream" | "epoch"> : never;

function broken(message: string): FdsError {
  return new FdsError("protocol_error", message);
}
