import { FdsError, isDownloadErrorCode, type Problem, problemOf } from "../../protocol/errors.ts";
import type { Frame } from "../../protocol/frame.ts";
import { CLIENT_ERROR_CODES, MAX_ERROR_LENGTH, ZSTD } from "../../protocol/messages.ts";
import { readRecords } from "../../protocol/set-records.ts";
import { RateMeter } from "../../util/rate-meter.ts";
import { release } from "../../util/release.ts";
import type { SetFile, SetOrder, SetRows } from "../set.ts";
import type { SetFolder, Storage } from "../storage/storage.ts";
import type { FlowControl, StreamFlowControl } from "./flow-control.ts";
import { findSpaceShortage, type SpaceShortage } from "./free-space.ts";
import { type AttemptOptions, broken, IncomingAttempt } from "./incoming-attempt.ts";
import { IncomingFrames } from "./incoming-frames.ts";
import type { Outcome, Progress, StreamMessage } from "./incoming-stream.ts";
import { linkUnchanged } from "./link-unchanged.ts";
import { ManifestReader } from "./manifest-reader.ts";
import { type Moment, SetCheckpoints } from "./set-checkpoints.ts";
import { selections } from "./set-request.ts";
import { SetTally } from "./set-tally.ts";
import { type Answer, SetWriter } from "./set-writer.ts";
import { describeWanted } from "./wanted-file.ts";
import { WantQueue } from "./want-queue.ts";

/** A frame that came damaged is asked for again this often. */
const MAX_RESENDS = 3;
/** Bytes that may be written and not flushed, beside the window. */
const MAX_UNFLUSHED = 64 * 1024 * 1024;

export interface SetReceiverOptions extends AttemptOptions {
  order: SetOrder;
  storage: Pick<Storage, "sets" | "freeSpace">;
  rows: SetRows;
  credit: FlowControl;
  /** Bytes that must stay free on the disk. */
  minFreeDisk: number;
  /** Whether so many bytes are more than is allowed. */
  findOverQuota: (totalSize: number) => Promise<SpaceShortage | null>;
}

/** Where an attempt at a set is. */
type Phase =
  /** What is there is looked at. */
  | { name: "opening" }
  /** The client walks, and sends the manifest. */
  | { name: "listing"; reader: ManifestReader }
  /** The manifest is here; files that are stored already are linked. */
  | { name: "linking" }
  /** Files are asked for, and come. */
  | { name: "receiving"; wants: WantQueue; writer: SetWriter }
  /** Nothing more is taken. */
  | { name: "ended" };

/**
 * One incoming set: its manifest, then its files, to a folder on the disk that is whole, flushed and
 * compared file by file; or to rows that say what is here already, from which the next attempt goes on.
 */
export class SetReceiver extends IncomingAttempt<SetReceiverOptions> {
  readonly #frames: IncomingFrames;
  readonly #rate = new RateMeter();
  readonly #flow: StreamFlowControl;
  #phase: Phase = { name: "opening" };
  /** Frames are worked on one after the other. */
  #work: Promise<void> = Promise.resolve();
  #isWorking = 0;
  #folder: SetFolder | undefined;
  #writer: SetWriter | undefined;
  #checkpoints: SetCheckpoints | undefined;
  readonly #tally = new SetTally();
  /** Bytes of the stream that were written. */
  #written = 0;
  #rateLimit: number | null;
  /** How far the client said that its walk, or its reading, is. */
  #proven = 0;

  constructor(options: SetReceiverOptions) {
    super(options);
    const { credit, link, download, metrics } = options;
    this.#rateLimit = download.rateLimit;
    this.#frames = new IncomingFrames({
      bytesOnWire: download.bytesOnWire,
      isOver: () => this.isOver,
      onBytes: (bytes) => this.#enqueue(bytes),
      onDamaged: (offset, times) => this.#askAgain(offset, times),
      metrics,
    });
    this.#frames.open();
    this.#flow = credit.open({
      offset: 0,
      maxUnflushed: MAX_UNFLUSHED,
      rateLimit: download.rateLimit,
      roundTripMs: () => link.roundTripMs(),
      onGrant: (max_offset) => {
        if (this.#phase.name !== "opening" && !this.isOver)
          this.tell({ type: "credit", max_offset });
      },
    });
  }

  get progress(): Progress {
    const current = this.#phase.name === "receiving" ? this.#phase.writer.current : undefined;
    return {
      bytesReceived: this.#tally.bytes + (current?.length ?? 0),
      bytesOnWire: this.#frames.bytesOnWire,
      bytesPerSecond: this.#rate.bytesPerSecond(),
      ...(this.#writer && { set: { files: this.#tally.counts, totalSize: this.#tally.totalSize } }),
    };
  }

  limitRate(rateLimit: number | null): void {
    this.#rateLimit = rateLimit;
    this.#flow.limitRate(rateLimit);
  }

  onMessage(message: StreamMessage): void {
    if (this.isOver) return;
    switch (message.type) {
      case "proving":
        return this.#onProving(message.offset);
      case "error":
        return this.#refused(new FdsError(message.code, message.message));
      case "set_listed":
        return this.#listed(message.total_size);
      default:
        throw broken(`${message.type} is nothing to say about a set`);
    }
  }

  onFrame(frame: Frame): boolean {
    const { name } = this.#phase;
    if (name === "ended") return false;
    if (name !== "listing" && name !== "receiving") throw broken("a frame came at the wrong time");
    const end = frame.offset + frame.rawLength;
    const { maxOffset } = this.#flow;
    if (end > maxOffset) throw broken(`a frame reaches beyond the ${maxOffset} bytes granted`);
    const isOfUse = this.#frames.take(frame);
    if (isOfUse) this.stalled.moved(frame.rawLength);
    return isOfUse;
  }

  protected get rateLimit(): number | null {
    return this.#rateLimit;
  }

  protected get isOver(): boolean {
    return this.#phase.name === "ended";
  }

  protected stop(): void {
    this.#phase = { name: "ended" };
  }

  protected isClientsTurn(): boolean {
    if (!this.#frames.idle || this.#isWorking > 0) return false;
    if (this.#phase.name === "listing") return true;
    return this.#phase.name === "receiving" && this.#phase.wants.isOwed;
  }

  protected async begin(): Promise<void> {
    const { download, storage, order, rows } = this.options;
    const { downloadId, checksum, source } = download;
    if (source) await this.#checkRoom(source.totalSize - download.durableOffset);
    this.#folder = await storage.sets.open(downloadId);
    if (!source) await rows.clear(downloadId);
    if (this.isOver) return;
    this.#flow.grant();
    this.tell({
      type: "set_request",
      download_id: downloadId,
      checksum,
      chunk_size: this.options.chunkSize,
      max_offset: this.#flow.maxOffset,
      accepts: [ZSTD],
    });
    this.stalled.restart();
    if (source) return this.#resume();
    const folderBytes = Buffer.byteLength(download.clientId) + MAX_FOLDER_NAME;
    this.#phase = { name: "listing", reader: new ManifestReader(order, folderBytes) };
    for (const selection of selections(order.paths, order.exclude)) this.tell(selection);
    this.tell({
      type: "set_list",
      min_age_ms: order.minAgeMs,
      max_files: order.maxFiles,
      ...(order.maxBytes !== null && { max_bytes: order.maxBytes }),
    });
  }

  protected async close(outcome: Outcome): Promise<void> {
    const keep = outcome.type === "lost" || outcome.type === "failed";
    try {
      this.#frames.stop();
      await this.#work;
      if (keep && this.#checkpoints) await this.#checkpoints.finish();
      await this.#checkpoints?.stop();
    } finally {
      await this.#writer?.close();
      await this.#folder?.close();
      this.#flow.close();
    }
  }

  /** The manifest is in the rows, from an earlier attempt. */
  async #resume(): Promise<void> {
    await this.#readCounts();
    await this.#receive();
  }

  async #readCounts(): Promise<void> {
    const { rows, download } = this.options;
    await this.#tally.read(rows, download.downloadId);
  }

  /** Works on the bytes of a frame after those before it. */
  #enqueue(bytes: Uint8Array): void {
    this.#inTurn(() => this.#take(bytes));
  }

  /** Does one thing after the other. */
  #inTurn(work: () => Promise<void>): void {
    this.#isWorking++;
    this.#work = this.#work
      .then(() => (this.isOver ? undefined : work()))
      .catch((error: unknown) => this.#broke(error))
      .finally(() => void this.#isWorking--);
  }

  /** A broken protocol is found after the session took the frame: it ends the attempt, not the connection. */
  #broke(error: unknown): void {
    if (error instanceof FdsError && error.code === "protocol_error") this.violated(error);
    else this.broke(error);
  }

  async #take(bytes: Uint8Array): Promise<void> {
    const phase = this.#phase;
    const { length } = bytes;
    if (phase.name === "listing") {
      const { rows, download } = this.options;
      const files = await phase.reader.read(bytes);
      await rows.insert(download.downloadId, download.clientId, files);
    } else if (phase.name === "receiving") {
      for (const record of readRecords(bytes)) {
        if (this.isOver) return;
        await phase.writer.take(record);
      }
      this.#rate.add(length);
      this.#checkpoints?.wrote(length);
      if (!phase.writer.holds) release(bytes);
      await this.#goOn(phase);
    }
    this.#written += length;
    this.#flow.wrote(length);
    if (phase.name === "listing") this.#flow.flushed(this.#written);
  }

  /** A long walk, or a long reading, counts as an answer as long as it gets somewhere. */
  #onProving(offset: number): void {
    if (offset <= this.#proven) return;
    this.#proven = offset;
    this.stalled.restart();
  }

  #listed(totalSize: number): void {
    const phase = this.#phase;
    if (phase.name !== "listing") throw broken("set_listed came at the wrong time");
    // It was sent before the client heard that a frame is wanted again; it will come again.
    if (this.#frames.resending) return;
    if (totalSize !== this.#frames.arrived) {
      throw broken(`set_listed says ${totalSize} bytes, ${this.#frames.arrived} came`);
    }
    void this.#keepWhenRead(phase);
  }

  /** Looks at once after the last frame was read: later, a frame that came damaged may be here again. */
  async #keepWhenRead(phase: Extract<Phase, { name: "listing" }>): Promise<void> {
    await this.#frames.settled();
    // The client says again that it is all.
    if (!this.#frames.resending) this.#inTurn(() => this.#keepManifest(phase));
  }

  /** The manifest is whole: from now on an attempt that breaks off goes on from it. */
  async #keepManifest(phase: Extract<Phase, { name: "listing" }>): Promise<void> {
    if (this.#phase !== phase) return;
    phase.reader.end();
    this.#phase = { name: "linking" };
    this.#proven = 0;
    await this.#readCounts();
    const { order, chunkSize } = this.options;
    if (this.#tally.counts.total === 0) return this.#empty();
    if (order.strict && this.#firstStrict) return this.fail(this.#firstStrict, true);
    await this.#linkUnchanged();
    const { totalSize, counts: files } = this.#tally;
    const overQuota = await this.options.findOverQuota(totalSize);
    if (overQuota) return this.fail(overQuota.problem, overQuota.final);
    await this.#checkRoom(totalSize);
    const source = { identity: null, totalSize, chunkSize };
    if (await this.report({ type: "listed", epoch: this.epoch, source, files })) {
      await this.#receive();
    }
  }

  /** What was left for later is no failure, also where everything else has to come. */
  get #firstStrict(): Problem | undefined {
    const { firstSkipped } = this.#tally;
    return firstSkipped?.code === "not_settled" ? undefined : firstSkipped;
  }

  #empty(): void {
    const { order } = this.options;
    if (order.ifNone === "complete") {
      return this.end({ type: "nothing", chunkSize: this.options.chunkSize });
    }
    const message = `the client has no file that matches ${order.paths.map((path) => `"${path}"`).join(", ")}`;
    this.fail({ code: "file_not_found", message: message.slice(0, 1_000) }, true);
  }

  async #linkUnchanged(): Promise<void> {
    const { order, rows, download } = this.options;
    const folder = this.#folder;
    if (order.unchanged === "send" || !folder) return;
    await linkUnchanged({
      download,
      rows,
      folder,
      onLinked: (file) => this.#tally.unchanged(file),
      isOver: () => this.isOver,
    });
  }

  async #receive(): Promise<void> {
    const { download, rows } = this.options;
    const folder = this.#folder;
    if (this.isOver || !folder) return;
    const wants = new WantQueue({
      downloadId: download.downloadId,
      rows,
      describe: (file) => describeWanted(file, folder, download.checksum),
      ask: (files) => this.tell({ type: "set_want", files }),
    });
    const writer = new SetWriter({
      folder,
      checksum: download.checksum,
      expect: (index) => wants.expect(index),
      admit: (bytes) => this.#admit(bytes),
      onAnswer: (answer) => this.#onAnswer(answer, wants),
    });
    this.#writer = writer;
    this.#checkpoints = new SetCheckpoints({
      downloadId: download.downloadId,
      folder,
      rows,
      moment: () => this.#moment(writer),
      onDurable: (moment) => this.#onDurable(moment),
      onError: (error) => this.broke(error),
    });
    const phase: Phase = { name: "receiving", wants, writer };
    this.#phase = phase;
    this.#rate.add(0);
    await this.#goOn(phase);
  }

  /** Asks for more, or ends the set where nothing more is to come. */
  async #goOn(phase: Extract<Phase, { name: "receiving" }>): Promise<void> {
    await phase.wants.fill();
    if (this.#phase !== phase || !phase.wants.isDone) return;
    await this.#checkpoints?.finish();
    if (this.#phase !== phase) return;
    const { firstSkipped, isFailure, bytes: size, counts: files } = this.#tally;
    if (isFailure && firstSkipped) return this.fail(firstSkipped, true);
    const { bytesOnWire } = this.#frames;
    this.end({ type: "set_received", size, files, bytesOnWire });
  }

  #onAnswer(answer: Answer, wants: WantQueue): void {
    const { file } = answer;
    wants.answered();
    this.#proven = 0;
    switch (answer.type) {
      case "received": {
        const { size, digest } = answer;
        this.#tally.received(size);
        const mtimeNs = String(answer.mtimeNs);
        const readAt = Date.now();
        this.#checkpoints?.add({
          index: file.index,
          status: "received",
          size,
          mtimeNs,
          digest,
          readAt,
        });
        return;
      }
      case "again":
        if (answer.error.code === "checksum_mismatch") this.options.metrics.checksumFailures++;
        if (wants.repeat(file)) return;
        return this.#skip(file, answer.error);
      case "skipped": {
        const message = answer.message.slice(0, MAX_ERROR_LENGTH);
        return this.#skip(file, { code: codeOf(answer.code), message });
      }
    }
  }

  #skip(file: SetFile, error: Problem): void {
    this.#tally.skipped(file, error);
    this.#checkpoints?.add({ index: file.index, status: "skipped", error });
    if (this.options.order.strict) this.fail(error, true);
  }

  /** A file has another size than was known: below 0 it has fewer bytes. */
  async #admit(bytes: number): Promise<void> {
    this.#tally.grow(bytes, this.options.order.maxBytes);
    if (bytes > 0) await this.#checkRoom(bytes);
  }

  #moment(writer: SetWriter): Moment {
    const { current } = writer;
    const { bytes, counts: files, totalSize } = this.#tally;
    return {
      current: current && { index: current.file.index, length: current.length },
      bytes: bytes + (current?.length ?? 0),
      files,
      totalSize,
      streamOffset: this.#written,
    };
  }

  async #onDurable({
    bytes: durableOffset,
    files,
    totalSize,
    streamOffset,
  }: Moment): Promise<void> {
    const { bytesOnWire } = this.#frames;
    const { epoch } = this;
    const set = { files, totalSize };
    await this.report({ type: "checkpoint", epoch, durableOffset, bytesOnWire, set });
    if (this.isOver) return;
    this.#flow.flushed(streamOffset);
    await this.#checkRoom(Math.max(0, this.#tally.totalSize - durableOffset));
  }

  /** The client cannot deliver the set. */
  #refused(error: FdsError): void {
    this.fail(problemOf(error, "protocol_error"), error.code === "file_not_found");
  }

  #askAgain(offset: number, times: number): void {
    if (times > MAX_RESENDS) {
      const message = `the frame at ${offset} came damaged ${times} times`;
      return this.fail({ code: "protocol_error", message }, true);
    }
    this.options.logger.warn("a frame came damaged and is asked for again", { offset });
    this.tell({ type: "resend", offset });
  }

  /** @param missing bytes that are still to come */
  async #checkRoom(missing: number): Promise<void> {
    const { storage, minFreeDisk } = this.options;
    const noRoom = await findSpaceShortage(storage, missing, 0, minFreeDisk);
    if (noRoom) this.fail(noRoom.problem, noRoom.final);
  }
}

/** Most bytes of the name of a set's folder, with the slash. */
const MAX_FOLDER_NAME = 201;

/** A client says why it cannot read a file; the other codes are the server's own. */
function codeOf(code: string): Problem["code"] {
  const known = CLIENT_ERROR_CODES.find((each) => each === code);
  return known !== undefined && isDownloadErrorCode(known) ? known : "file_unreadable";
}
