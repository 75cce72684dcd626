import { FdsError, problemOf } from "../../protocol/errors.ts";
import type { Frame } from "../../protocol/frame.ts";
import type { FileComplete, FileStart } from "../../protocol/messages.ts";
import type { SerialQueue } from "../../util/serial-queue.ts";
import { RateMeter } from "../../util/rate-meter.ts";
import type { Downloading, Source } from "../download.ts";
import type { Part, Storage } from "../storage/storage.ts";
import type { FilePhase } from "./file-phase.ts";
import { checkStart, fileRequest } from "./file-request.ts";
import type { FlowControl, StreamFlowControl } from "./flow-control.ts";
import { findSpaceShortage, type SpaceShortage } from "./free-space.ts";
import { type AttemptOptions, broken, IncomingAttempt } from "./incoming-attempt.ts";
import { IncomingFrames } from "./incoming-frames.ts";
import type { Outcome, Progress, StreamMessage } from "./incoming-stream.ts";
import { CHECKPOINT_BYTES, PartWriter } from "./part-writer.ts";
import { findFlaw } from "./verdict.ts";

/** A chunk that came damaged is asked for again this often. */
const MAX_RESENDS = 3;
/** A byte that a client only reads again counts as so much of one that comes: disks are faster. */
const PROVEN_WORTH = 1 / 8;

export interface FileReceiverOptions extends AttemptOptions {
  storage: Pick<Storage, "openPart" | "freeSpace">;
  credit: FlowControl;
  /** Shared by all receivers: checkpoints run one after the other. */
  checkpoints: SerialQueue;
  /** Shared by all receivers: what one takes of a quota is recorded before the next one looks. */
  starts: SerialQueue;
  /** Bytes that must stay free on the disk. */
  minFreeDisk: number;
  /** Whether a file of so many bytes is more than is allowed. */
  findOverQuota: (totalSize: number) => Promise<SpaceShortage | null>;
}

/**
 * One incoming file: from the request to a part on the disk that is whole, flushed and has the
 * client's checksum, or to a safe offset from which the next attempt goes on.
 */
export class FileReceiver extends IncomingAttempt<FileReceiverOptions> {
  readonly #frames: IncomingFrames;
  readonly #rate = new RateMeter();
  #phase: FilePhase = { name: "opening" };
  /** What is to be closed at the end, whatever the phase. */
  #writer: PartWriter | undefined;
  #flow: StreamFlowControl | undefined;
  /** The writer, once the row says where the file begins. */
  #begun: PartWriter | undefined;
  #rateLimit: number | null;
  /** Why the server asks for the file from its first byte, where it has a part. */
  #restartReason: string | undefined;
  /** How far the client has read again what the server has. */
  #proven = 0;
  /** How far the frames ever came. */
  #reached = 0;

  constructor(options: FileReceiverOptions) {
    super(options);
    const { download, metrics } = options;
    this.#rateLimit = download.rateLimit;
    this.#frames = new IncomingFrames({
      bytesOnWire: download.bytesOnWire,
      isOver: () => this.isOver,
      onBytes: (bytes) => this.#writer?.push(bytes),
      onDamaged: (offset, times) => this.#askAgain(offset, times),
      metrics,
    });
  }

  get progress(): Progress {
    return {
      bytesReceived: this.#begun?.written ?? this.options.download.durableOffset,
      bytesOnWire: this.#frames.bytesOnWire,
      bytesPerSecond: this.#rate.bytesPerSecond(),
    };
  }

  limitRate(rateLimit: number | null): void {
    this.#rateLimit = rateLimit;
    this.#flow?.limitRate(rateLimit);
  }

  onMessage(message: StreamMessage): void {
    if (this.isOver) return;
    if (message.type === "proving") return this.#onProving(message.offset);
    switch (message.type) {
      case "error":
        return this.fail(problemOf(new FdsError(message.code, message.message), "protocol_error"));
      case "file_start":
        return this.#onStart(message);
      case "file_complete":
        return this.#onComplete(message);
      default:
        throw broken(`${message.type} is nothing to say about a file`);
    }
  }

  onFrame(frame: Frame): boolean {
    const phase = this.#phase;
    if (phase.name === "ended") return false;
    if (!("source" in phase)) throw broken("a frame came before file_start");
    const end = frame.offset + frame.rawLength;
    const { maxOffset } = phase.flow;
    if (end > phase.source.totalSize) throw broken("a frame reaches beyond the end of the file");
    if (end > maxOffset) throw broken(`a frame reaches beyond the ${maxOffset} bytes granted`);
    phase.flow.arrived(frame.rawLength);
    const isOfUse = this.#frames.take(frame);
    // A chunk that comes again, or does not unpack in the end, brings nothing on.
    const { arrived } = this.#frames;
    if (arrived > this.#reached) this.stalled.moved(arrived - this.#reached);
    this.#reached = Math.max(this.#reached, arrived);
    return isOfUse;
  }

  protected get isOver(): boolean {
    return this.#phase.name === "ended";
  }

  protected async begin(): Promise<void> {
    const { storage, download } = this.options;
    // Whether there is room for anything at all was looked at when it was claimed.
    if (download.source) {
      await this.#checkRoom();
      await this.#checkQuota(download.source.totalSize);
    }
    if (this.isOver) return;
    const part = await storage.openPart(download.downloadId);
    this.#writer = this.#writerTo(part);
    await this.#request(part, this.#writer);
  }

  protected stop(): void {
    this.#phase = { name: "ended" };
  }

  protected async close(outcome: Outcome): Promise<void> {
    const keep = outcome.type === "lost" || outcome.type === "failed";
    try {
      if (!keep) this.#frames.stop();
      await this.#frames.settled();
      await this.#writer?.close(keep);
    } finally {
      this.options.link.rate = this.#flow?.rate ?? this.options.link.rate;
      this.#flow?.close();
    }
  }

  protected get rateLimit(): number | null {
    return this.#rateLimit;
  }

  protected isClientsTurn(): boolean {
    const phase = this.#phase;
    if (phase.name === "requested") return true;
    if (phase.name !== "receiving" || !this.#frames.idle || !phase.writer.idle) return false;
    const { arrived } = this.#frames;
    return arrived < phase.flow.maxOffset || arrived === phase.source.totalSize;
  }

  #writerTo(part: Part): PartWriter {
    return new PartWriter({
      part,
      checksum: this.options.download.checksum,
      checkpoints: this.options.checkpoints,
      onWritten: (bytes) => {
        this.#rate.add(bytes);
        this.#flow?.wrote(bytes);
      },
      onDurable: async (durableOffset) => {
        const bytesOnWire = this.#frames.bytesOnWire;
        await this.report({ type: "checkpoint", epoch: this.epoch, durableOffset, bytesOnWire });
        if (this.isOver) return;
        this.#flow?.flushed(durableOffset);
        await this.#checkRoom();
      },
      onError: (error) => this.broke(error),
    });
  }

  async #request(part: Part, writer: PartWriter): Promise<void> {
    const { durableOffset } = this.options.download;
    // A part that is shorter than what was recorded proves nothing: begin at the first byte.
    const isShort = part.size < durableOffset;
    if (isShort) this.#restartReason = "the part file is shorter than recorded";
    const offset = isShort ? 0 : durableOffset;
    const prefix = await writer.continueFrom(offset, () => !this.isOver);
    if (this.isOver) return;
    this.#frames.beginAt(offset);
    this.#reached = offset;
    this.#flow = this.#openFlow(offset);
    this.#phase = { name: "requested", writer, flow: this.#flow };
    this.#flow.grant();
    this.stalled.restart();
    const { download, chunkSize } = this.options;
    const { maxOffset } = this.#flow;
    this.tell(fileRequest(download, { offset, prefix, maxOffset, chunkSize }));
  }

  #openFlow(offset: number): StreamFlowControl {
    const { link, credit } = this.options;
    return credit.open({
      offset,
      maxUnflushed: CHECKPOINT_BYTES,
      rateLimit: this.#rateLimit,
      roundTripMs: () => link.roundTripMs(),
      knownRate: link.rate,
      onGrant: (max_offset) => {
        // The request, and the answer to file_start, say for themselves how far it goes.
        if (this.#begun && !this.isOver) this.tell({ type: "credit", max_offset });
      },
    });
  }

  /**
   * A long reading counts as an answer as long as it gets somewhere: that of what the server has,
   * and once more of all the file where its times changed while it was sent.
   */
  #onProving(offset: number): void {
    const { arrived } = this.#frames;
    if ("source" in this.#phase && arrived < this.#phase.source.totalSize) return;
    if (offset <= this.#proven || offset > arrived) return;
    this.stalled.moved((offset - this.#proven) * PROVEN_WORTH);
    this.#proven = offset;
  }

  #onStart(message: FileStart): void {
    const phase = this.#phase;
    if (phase.name !== "requested") throw broken("file_start came at the wrong time");
    const { download, chunkSize } = this.options;
    const { arrived } = this.#frames;
    checkStart(message, arrived, download);
    if (message.offset < arrived) {
      this.#frames.beginAt(0);
      this.#reached = 0;
      phase.flow.restart();
    }
    const source = { identity: message.identity, totalSize: message.total_size, chunkSize };
    this.#phase = { ...phase, name: "starting", source, complete: null };
    this.#proven = 0;
    this.stalled.restart();
    this.#start(message, source).catch((error: unknown) => this.broke(error));
  }

  async #start(message: FileStart, source: Source): Promise<void> {
    const { offset } = message;
    const after = await this.options.starts.run(() => this.#recordStart(message, source));
    // The row first: it must never say more than the part holds.
    if (!this.isOver && offset < (this.#writer?.written ?? 0)) await this.#writer?.startOver();
    const phase = this.#phase;
    if (phase.name !== "starting") return;
    // What the last reading is compared with is the first one, perhaps of an earlier attempt.
    const { writer, flow, complete } = phase;
    const agreed = after?.source ?? source;
    this.#phase = { name: "receiving", source: agreed, writer, flow };
    this.#begun = writer;
    this.options.metrics.resumedBytes += offset;
    flow.endsAt(agreed.totalSize);
    flow.grant();
    this.tell({ type: "credit", max_offset: flow.maxOffset });
    this.#rate.add(0);
    this.#frames.open();
    if (complete) this.#verify(complete);
  }

  /** @returns the download as it now is, or null where the attempt is over */
  async #recordStart(message: FileStart, source: Source): Promise<Downloading | null> {
    const { offset, reason = this.#restartReason } = message;
    await this.#checkRoom();
    await this.#checkQuota(source.totalSize);
    if (this.isOver) return null;
    const { epoch } = this;
    return this.report({ type: "started", epoch, now: Date.now(), source, offset, reason });
  }

  #onComplete(message: FileComplete): void {
    const phase = this.#phase;
    const isExpected =
      phase.name === "receiving" || (phase.name === "starting" && phase.complete === null);
    if (!isExpected) throw broken("file_complete came at the wrong time");
    // It was sent before the client heard that a chunk is wanted again; it will come again.
    if (this.#frames.resending) return;
    const { arrived } = this.#frames;
    const { totalSize } = phase.source;
    if (message.total_size !== totalSize || arrived !== totalSize) {
      const came = `${arrived} of ${totalSize} came`;
      throw broken(`file_complete says ${message.total_size} bytes, ${came}`);
    }
    this.stalled.restart();
    if (phase.name === "starting") this.#phase = { ...phase, complete: message };
    else this.#verify(message);
  }

  #verify(complete: FileComplete): void {
    if (this.#phase.name !== "receiving") return;
    const phase = { ...this.#phase, name: "verifying", complete } as const;
    this.#phase = phase;
    this.#compare(phase).catch((error: unknown) => this.broke(error));
  }

  async #compare(phase: Extract<FilePhase, { name: "verifying" }>): Promise<void> {
    const { source, writer, complete } = phase;
    await this.#frames.settled();
    // A chunk may have come damaged, and be asked for again.
    if (this.#phase !== phase) return;
    const digest = await writer.seal();
    if (this.#phase !== phase) return;
    const flaw = findFlaw(source, complete, this.options.download.checksum, digest);
    if (flaw?.problem.code === "checksum_mismatch") this.options.metrics.checksumFailures++;
    if (flaw) return this.fail(flaw.problem, flaw.final);
    const { bytesOnWire } = this.#frames;
    this.end({ type: "received", digest, size: source.totalSize, bytesOnWire });
  }

  #askAgain(offset: number, times: number): void {
    // Whatever came behind the chunk comes again, and then the client says again that it is all.
    const phase = this.#phase;
    if (phase.name === "starting") {
      this.#phase = { ...phase, complete: null };
    } else if (phase.name === "verifying") {
      const { source, writer, flow } = phase;
      this.#phase = { name: "receiving", source, writer, flow };
    }
    if (times > MAX_RESENDS) {
      const message = `the chunk at ${offset} came damaged ${times} times`;
      return this.fail({ code: "checksum_mismatch", message }, true);
    }
    this.options.logger.warn("a chunk came damaged and is asked for again", { offset });
    this.tell({ type: "resend", offset });
  }

  /** Ends the attempt when the file would be more than is allowed. */
  async #checkQuota(totalSize: number): Promise<void> {
    const overQuota = await this.options.findOverQuota(totalSize);
    if (overQuota) this.fail(overQuota.problem, overQuota.final);
  }

  /** Ends the attempt when the rest of the file would not leave enough of the disk free. */
  async #checkRoom(): Promise<void> {
    const { storage, minFreeDisk, download } = this.options;
    const source = "source" in this.#phase ? this.#phase.source : download.source;
    const written = this.#writer ? this.#writer.written : download.durableOffset;
    const noRoom = await findSpaceShortage(storage, source?.totalSize ?? 0, written, minFreeDisk);
    if (noRoom) this.fail(noRoom.problem, noRoom.final);
  }
}
