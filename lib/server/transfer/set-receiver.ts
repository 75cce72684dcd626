import { FdsError, problemOf } from "../../protocol/errors.ts";
import type { Frame } from "../../protocol/frame.ts";
import { ZSTD } from "../../protocol/messages.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import { namePatterns, type SetOrder, type SetRows } from "../set.ts";
import type { SetFolder, Storage } from "../storage/storage.ts";
import type { FlowControl, StreamFlowControl } from "./flow-control.ts";
import { type AttemptOptions, IncomingAttempt, protocolError } from "./incoming-attempt.ts";
import { IncomingFiles } from "./incoming-files.ts";
import { IncomingFrames } from "./incoming-frames.ts";
import { IncomingManifest } from "./incoming-manifest.ts";
import type { Outcome, Progress, StreamMessage } from "./incoming-stream.ts";
import type { OpenSet } from "./open-set.ts";
import type { SetSnapshot } from "./set-checkpoints.ts";
import type { SetPhase } from "./set-phase.ts";
import { SetTally } from "./set-tally.ts";
import { wantMissing } from "./want-missing.ts";

export interface SetReceiverOptions extends AttemptOptions {
  order: SetOrder;
  storage: Pick<Storage, "sets" | "freeSpace">;
  rows: SetRows;
  credit: FlowControl;
}

/**
 * Receives one set: its manifest, then its files. A successful attempt ends with a complete, verified and
 * flushed folder. Any other attempt leaves rows from which the next attempt continues.
 */
export class SetReceiver extends IncomingAttempt<SetReceiverOptions> {
  readonly #frames: IncomingFrames;
  readonly #flow: StreamFlowControl;
  #phase: SetPhase = { name: "opening" };
  /** Handles the bytes of frames and the end of the manifest, one after the other. */
  readonly #work = new SerialQueue();
  /** The folder of the set; undefined until it is open. Closed when the attempt ends. */
  #folder: SetFolder | undefined;
  #files: IncomingFiles | undefined;
  readonly #tally = new SetTally();
  /** Number of bytes of the set's stream that have been processed. */
  #streamOffset = 0;

  constructor(options: SetReceiverOptions) {
    super(options);
    const { credit, link, download, metrics, storage } = options;
    this.#frames = new IncomingFrames({
      bytesOnWire: download.bytesOnWire,
      isOver: () => this.isOver,
      onBytes: (bytes) => this.#enqueue(() => this.#take(bytes)),
      onDamaged: (offset, times) =>
        this.askAgain(offset, times, { name: "frame", code: "protocol_error" }),
      metrics,
    });
    this.#frames.open();
    this.#flow = credit.open({
      offset: 0,
      maxUnflushed: storage.sets.maxUnflushed,
      rateLimit: download.rateLimit,
      roundTripMs: () => link.roundTripMs(),
      onGrant: (max_offset) => {
        if (this.#phase.name !== "opening" && !this.isOver)
          this.tell({ type: "credit", max_offset });
      },
    });
  }

  get progress(): Progress {
    const { bytes, counts: files, totalSize } = this.#tally;
    const current = this.#phase.name === "receiving" ? this.#phase.files.currentLength : 0;
    return {
      bytesReceived: bytes + current,
      bytesOnWire: this.#frames.bytesOnWire,
      bytesPerSecond: this.#files?.bytesPerSecond ?? null,
      ...(this.#files && { set: { files, totalSize } }),
    };
  }

  onMessage(message: StreamMessage): void {
    if (this.isOver) return;
    switch (message.type) {
      case "proving":
        return this.#onProving(message.offset);
      case "error":
        return this.fail(problemOf(new FdsError(message.code, message.message), "protocol_error"));
      case "set_listed":
        return this.#onListed(message);
      default:
        throw protocolError(`${message.type} is nothing to say about a set`);
    }
  }

  onFrame(frame: Frame): boolean {
    const { name } = this.#phase;
    if (name === "ended") return false;
    if (name !== "listing" && name !== "receiving")
      throw protocolError("a frame came at the wrong time");
    const end = frame.offset + frame.rawLength;
    const { maxOffset } = this.#flow;
    if (end > maxOffset)
      throw protocolError(`a frame reaches beyond the ${maxOffset} bytes granted`);
    return this.#frames.take(frame);
  }

  protected get isOver(): boolean {
    return this.#phase.name === "ended";
  }

  protected stop(): void {
    this.#phase = { name: "ended" };
  }

  protected get othersWaitForCredit(): boolean {
    return this.#flow.othersWait;
  }

  protected applyRateLimit(rateLimit: number | null): void {
    this.#flow.limitRate(rateLimit);
  }

  protected isClientsTurn(): boolean {
    if (!this.#frames.isIdle || !this.#work.isIdle) return false;
    if (this.#phase.name === "listing") return true;
    return this.#phase.name === "receiving" && this.#phase.files.isAnswerDue;
  }

  protected async begin(): Promise<void> {
    const { download, storage, order, rows } = this.options;
    const { downloadId, checksum, source } = download;
    if (source) await this.endIfNoRoom(source.totalSize - download.durableOffset);
    const folder = await storage.sets.open(downloadId, this.epoch);
    this.#folder = folder;
    if (!source) {
      await rows.clear(download);
      await folder.empty();
    }
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
    this.stallWatch.restart();
    const set: OpenSet = {
      download,
      order,
      rows,
      folder,
      checkpointBytes: storage.sets.checkpointBytes,
      tally: this.#tally,
      stallWatch: this.stallWatch,
      tell: (command) => this.tell(command),
      isOver: () => this.isOver,
    };
    if (source) await this.#resume(set);
    else this.#list(set);
  }

  protected async close(outcome: Outcome): Promise<void> {
    const keep = outcome.type === "lost" || outcome.type === "failed";
    try {
      this.#frames.stop();
      await this.#work.idle();
      await this.#files?.close(keep);
    } finally {
      await this.#folder?.close();
      this.#flow.close();
    }
  }

  /** Continues a set whose manifest an earlier attempt recorded in the rows. */
  async #resume(set: OpenSet): Promise<void> {
    const missing = await wantMissing(set);
    if (missing > 0) {
      const text = "files of a set are gone from the disk, and wanted again";
      this.options.logger.warn(text, { files: missing });
    }
    await set.tally.read(set.rows, set.download.downloadId);
    await this.#receive(set);
  }

  #list(set: OpenSet): void {
    const manifest = new IncomingManifest(set);
    this.#phase = { name: "listing", manifest };
    manifest.ask();
  }

  /** Runs `work` after the work of all earlier calls has finished. An error ends the attempt. */
  #enqueue(work: () => Promise<void>): void {
    void this.#work.run(async () => {
      try {
        if (!this.isOver) await work();
      } catch (error) {
        this.#onWorkError(error);
      }
    });
  }

  /** Ends the attempt, not the connection, as the session has accepted even a frame that breaks the rules. */
  #onWorkError(error: unknown): void {
    if (error instanceof FdsError && error.code === "protocol_error") this.violated(error);
    else this.broke(error);
  }

  async #take(bytes: Uint8Array): Promise<void> {
    const phase = this.#phase;
    const { length } = bytes;
    if (phase.name === "listing") await phase.manifest.take(bytes);
    else if (phase.name === "receiving") await phase.files.take(bytes);
    this.#streamOffset += length;
    this.#flow.wrote(length);
    if (phase.name === "listing") this.#flow.flushed(this.#streamOffset);
  }

  #onProving(offset: number): void {
    const phase = this.#phase;
    if (phase.name === "listing") phase.manifest.onWalkProgress(offset);
    else if (phase.name === "receiving") phase.files.onProving(offset);
  }

  #onListed({ total_size: totalSize, unmatched }: Extract<StreamMessage, { type: "set_listed" }>) {
    const phase = this.#phase;
    if (phase.name !== "listing") throw protocolError("set_listed came at the wrong time");
    // A damaged frame is being resent. The client will send `set_listed` again after it.
    if (this.#frames.isResending) return;
    if (totalSize !== this.#frames.arrived) {
      throw protocolError(`set_listed says ${totalSize} bytes, ${this.#frames.arrived} came`);
    }
    if (unmatched) phase.manifest.takeUnmatched(unmatched);
    void this.#recordWhenRead(phase.manifest);
  }

  /** Waits until the last frame is decompressed, then handles the manifest unless a frame proved damaged. */
  async #recordWhenRead(manifest: IncomingManifest): Promise<void> {
    await this.#frames.settled();
    // If a frame is being resent, the client will send `set_listed` again.
    if (!this.#frames.isResending) this.#enqueue(() => this.#recordManifest(manifest));
  }

  /** Records that the manifest is complete. From then on, the next attempt continues from the rows. */
  async #recordManifest(manifest: IncomingManifest): Promise<void> {
    if (this.#phase.name !== "listing") return;
    this.#phase = { name: "linking" };
    const { chunkSize } = this.options;
    const outcome = await manifest.finish(chunkSize);
    if (outcome) return this.end(outcome);
    const { totalSize, counts: files } = this.#tally;
    if (await this.endIfOverQuota(totalSize)) return;
    await this.endIfNoRoom(totalSize);
    const source = { identity: null, totalSize, chunkSize };
    const { unmatched } = manifest;
    if (unmatched?.length) {
      const patterns = namePatterns(this.options.order, unmatched);
      this.options.logger.info("no file matches some patterns of a set", { patterns });
    }
    if (await this.report({ type: "listed", epoch: this.epoch, source, files, unmatched })) {
      await this.#receive(manifest.set);
    }
  }

  async #receive(set: OpenSet): Promise<void> {
    if (this.isOver) return;
    const files = new IncomingFiles({
      ...set,
      metrics: this.options.metrics,
      checkRoom: (bytes) => this.endIfNoRoom(bytes),
      checkQuota: (totalSize) => this.endIfOverQuota(totalSize),
      onDurable: (snapshot) => this.#onDurable(snapshot),
      onMissing: (error) => this.fail(error, true),
      onDone: () => this.#done(),
      onError: (error) => this.broke(error),
      streamOffset: () => this.#streamOffset,
    });
    this.#files = files;
    this.#phase = { name: "receiving", files };
    await files.requestMore();
  }

  #done(): void {
    const { firstSkipped, isFailure, bytes: size, counts: files } = this.#tally;
    if (isFailure && firstSkipped) return this.fail(firstSkipped, true);
    const { bytesOnWire } = this.#frames;
    this.end({ type: "set_received", size, files, bytesOnWire });
  }

  async #onDurable({ bytes, files, totalSize, streamOffset }: SetSnapshot): Promise<void> {
    const { bytesOnWire } = this.#frames;
    const { epoch } = this;
    const set = { files, totalSize };
    await this.report({ type: "checkpoint", epoch, durableOffset: bytes, bytesOnWire, set });
    if (this.isOver) return;
    this.#flow.flushed(streamOffset);
    await this.endIfNoRoom(Math.max(0, this.#tally.totalSize - bytes));
  }
}
