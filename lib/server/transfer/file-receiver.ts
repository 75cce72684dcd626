import { FdsError, problemOf } from "../../protocol/errors.ts";
import type { Frame } from "../../protocol/frame.ts";
import type { FileComplete, FileStart } from "../../protocol/messages.ts";
import type { SerialQueue } from "../../util/serial-queue.ts";
import type { Downloading, Source } from "../download.ts";
import type { Part, Storage } from "../storage/storage.ts";
import type { FilePhase } from "./file-phase.ts";
import { checkComplete, checkStart, fileRequest } from "./file-request.ts";
import type { FlowControl } from "./flow-control.ts";
import { type AttemptOptions, IncomingAttempt, protocolError } from "./incoming-attempt.ts";
import { IncomingBytes } from "./incoming-bytes.ts";
import type { Outcome, Progress, StreamMessage } from "./incoming-stream.ts";
import { findFlaw } from "./verdict.ts";

export interface FileReceiverOptions extends AttemptOptions {
  storage: Pick<Storage, "openPart" | "freeSpace">;
  credit: FlowControl;
  /** Runs checkpoints one after the other, see {@link PartWriterOptions.checkpoints}. */
  checkpoints: SerialQueue;
  /**
   * Runs the recording of `file_start` answers one after the other, for all receivers. So the size of one
   * file counts towards a quota before the quota is checked for the next file.
   */
  starts: SerialQueue;
}

/**
 * Receives one file. A successful attempt ends with a complete, flushed part that has the client's checksum.
 * Any other attempt leaves a durable offset from which the next attempt continues.
 */
export class FileReceiver extends IncomingAttempt<FileReceiverOptions> {
  #phase: FilePhase = { name: "opening" };
  /**
   * The part, and the objects that receive its frames and grant credit for them; undefined until the part is
   * open. Closed when the attempt ends.
   */
  #bytes: IncomingBytes | undefined;
  /** Whether the start of this attempt is recorded in the download's row. */
  #hasBegun = false;
  /** The reason why the server requests the file from its first byte although a part exists. */
  #restartReason: string | undefined;

  get progress(): Progress {
    const { durableOffset, bytesOnWire } = this.options.download;
    return {
      bytesReceived: this.#hasBegun && this.#bytes ? this.#bytes.written : durableOffset,
      bytesOnWire: this.#bytes?.bytesOnWire ?? bytesOnWire,
      bytesPerSecond: this.#bytes?.bytesPerSecond ?? null,
    };
  }

  onMessage(message: StreamMessage): void {
    if (this.isOver) return;
    switch (message.type) {
      case "proving":
        return this.#onProving(message.offset);
      case "error":
        return this.fail(problemOf(new FdsError(message.code, message.message), "protocol_error"));
      case "file_start":
        return this.#onStart(message);
      case "file_complete":
        return this.#onComplete(message);
      default:
        throw protocolError(`${message.type} is nothing to say about a file`);
    }
  }

  onFrame(frame: Frame): boolean {
    const phase = this.#phase;
    if (phase.name === "ended") return false;
    if (!("source" in phase)) throw protocolError("a frame came before file_start");
    const end = frame.offset + frame.rawLength;
    if (end > phase.source.totalSize)
      throw protocolError("a frame reaches beyond the end of the file");
    const { isAccepted, progress } = phase.bytes.take(frame);
    if (progress > 0) this.stallWatch.addProgress(progress);
    return isAccepted;
  }

  protected get isOver(): boolean {
    return this.#phase.name === "ended";
  }

  protected async begin(): Promise<void> {
    const { storage, download } = this.options;
    // Free space and quotas are checked before the client is asked for the file, if an earlier attempt
    // recorded the file's size. Every attempt checks them after the client has stated the size.
    if (download.source) {
      await this.#checkRoom();
      await this.endIfOverQuota(download.source.totalSize);
    }
    if (this.isOver) return;
    const part = await storage.openPart(download.downloadId, this.epoch);
    this.#bytes = this.#bytesInto(part);
    await this.#request(part, this.#bytes);
  }

  protected stop(): void {
    this.#phase = { name: "ended" };
  }

  protected async close(outcome: Outcome): Promise<void> {
    await this.#bytes?.close(outcome.type === "lost" || outcome.type === "failed");
  }

  protected get othersWaitForCredit(): boolean {
    return this.#bytes?.othersWait ?? false;
  }

  protected applyRateLimit(rateLimit: number | null): void {
    this.#bytes?.limitRate(rateLimit);
  }

  protected isClientsTurn(): boolean {
    const phase = this.#phase;
    if (phase.name === "requested") return true;
    if (phase.name !== "receiving" || !phase.bytes.isIdle) return false;
    const { arrived, maxOffset } = phase.bytes;
    return arrived < maxOffset || arrived === phase.source.totalSize;
  }

  #bytesInto(part: Part): IncomingBytes {
    const { download, link, credit, checkpoints, metrics } = this.options;
    return new IncomingBytes({
      part,
      download,
      link,
      credit,
      checkpoints,
      metrics,
      isOver: () => this.isOver,
      onDamaged: (offset, times) => this.#onDamaged(offset, times),
      onDurable: (durableOffset) => this.#onDurable(durableOffset),
      onGrant: (max_offset) => {
        // The request already contained the first credit limit. Later limits are sent only after the client's
        // `file_start` is recorded in the download's row.
        if (this.#hasBegun && !this.isOver) this.tell({ type: "credit", max_offset });
      },
      onError: (error) => this.broke(error),
    });
  }

  async #onDurable(durableOffset: number): Promise<void> {
    const { epoch } = this;
    const { bytesOnWire } = this.progress;
    await this.report({ type: "checkpoint", epoch, durableOffset, bytesOnWire });
    if (this.isOver) return;
    this.#bytes?.flushed(durableOffset);
    await this.#checkRoom();
  }

  async #request(part: Part, bytes: IncomingBytes): Promise<void> {
    const { download, chunkSize } = this.options;
    const { durableOffset } = download;
    // If the part is shorter than the durable offset in the row, its content cannot be trusted. Then the file
    // is requested from its first byte.
    const isShort = part.size < durableOffset;
    if (isShort) this.#restartReason = "the part file is shorter than recorded";
    const offset = isShort ? 0 : durableOffset;
    const prefix = await bytes.continueFrom(offset, () => this.rateLimit);
    if (prefix === null) return;
    this.#phase = { name: "requested", bytes };
    this.stallWatch.restart();
    const { maxOffset } = bytes;
    this.tell(fileRequest(download, { offset, prefix, maxOffset, chunkSize }));
  }

  /**
   * Handles a report of how many bytes of the file the client has hashed, which postpones the timeout. Before
   * the client sends anything, it hashes the bytes that the server already has. After the last frame, it
   * hashes the whole file once more if the file's modification time changed.
   */
  #onProving(offset: number): void {
    const phase = this.#phase;
    const arrived = this.#bytes?.arrived ?? 0;
    if ("source" in phase && arrived < phase.source.totalSize) return;
    this.stallWatch.addProven(offset, arrived);
  }

  #onStart(message: FileStart): void {
    const phase = this.#phase;
    if (phase.name !== "requested") throw protocolError("file_start came at the wrong time");
    const { download, chunkSize } = this.options;
    const { bytes } = phase;
    checkStart(message, bytes.arrived, download);
    if (message.offset < bytes.arrived) bytes.restart();
    const source = { identity: message.identity, totalSize: message.total_size, chunkSize };
    this.#phase = { name: "starting", bytes, source, complete: null };
    this.stallWatch.restart();
    this.#start(message, source, bytes).catch((error: unknown) => this.broke(error));
  }

  async #start(message: FileStart, source: Source, bytes: IncomingBytes): Promise<void> {
    const { offset } = message;
    const after = await this.options.starts.run(() => this.#recordStart(message, source));
    // The row is updated before the part is emptied, because the row must never claim more bytes than the
    // part holds.
    if (!this.isOver) await bytes.emptyIfBehind(offset);
    const phase = this.#phase;
    if (phase.name !== "starting") return;
    // At the end, the file's identity at the client is compared with the identity that was recorded first,
    // perhaps by an earlier attempt.
    const agreed = after?.source ?? source;
    this.#phase = { name: "receiving", bytes, source: agreed };
    this.#hasBegun = true;
    this.options.metrics.resumedBytes += offset;
    bytes.setEnd(agreed.totalSize);
    this.tell({ type: "credit", max_offset: bytes.maxOffset });
    bytes.begin();
    if (phase.complete) this.#verify(phase.complete);
  }

  /**
   * Records the start of the attempt in the download's row.
   * @returns the download with its start recorded; null: the attempt is over
   */
  async #recordStart(message: FileStart, source: Source): Promise<Downloading | null> {
    const { offset, reason = this.#restartReason } = message;
    await this.#checkRoom();
    await this.endIfOverQuota(source.totalSize);
    if (this.isOver) return null;
    const { epoch } = this;
    return this.report({ type: "started", epoch, now: Date.now(), source, offset, reason });
  }

  #onComplete(message: FileComplete): void {
    const phase = this.#phase;
    const isExpected =
      phase.name === "receiving" || (phase.name === "starting" && phase.complete === null);
    if (!isExpected) throw protocolError("file_complete came at the wrong time");
    // A damaged chunk is being resent. The client will send `file_complete` again after it.
    if (phase.bytes.isResending) return;
    checkComplete(message, phase.bytes.arrived, phase.source.totalSize);
    this.stallWatch.restart();
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
    const { source, bytes, complete } = phase;
    await bytes.settled();
    // While frames were decompressed, a chunk may have proved damaged and been requested again.
    if (this.#phase !== phase) return;
    const digest = await bytes.seal();
    if (this.#phase !== phase) return;
    const flaw = findFlaw(source, complete, this.options.download.checksum, digest);
    if (flaw?.problem.code === "checksum_mismatch") this.options.metrics.checksumFailures++;
    if (flaw) return this.fail(flaw.problem, flaw.final);
    const { bytesOnWire } = bytes;
    this.end({ type: "received", digest, size: source.totalSize, bytesOnWire });
  }

  #onDamaged(offset: number, times: number): void {
    // The client resends everything from the damaged chunk on, and then sends `file_complete` again.
    const phase = this.#phase;
    if (phase.name === "starting") {
      this.#phase = { ...phase, complete: null };
    } else if (phase.name === "verifying") {
      const { source, bytes } = phase;
      this.#phase = { name: "receiving", source, bytes };
    }
    this.askAgain(offset, times, { name: "chunk", code: "checksum_mismatch" });
  }

  /** Ends the attempt if the rest of the file would not leave enough free space on the disk. */
  async #checkRoom(): Promise<void> {
    const { download } = this.options;
    const source = "source" in this.#phase ? this.#phase.source : download.source;
    const written = this.#bytes ? this.#bytes.written : download.durableOffset;
    await this.endIfNoRoom(source?.totalSize ?? 0, written);
  }
}
