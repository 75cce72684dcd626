import { FdsError, type Problem, problemOf } from "../../protocol/errors.ts";
import type { Frame } from "../../protocol/frame.ts";
import type { Logger } from "../../util/logger.ts";
import { formatSize } from "../../util/sizes.ts";
import type { Download, Downloading } from "../download.ts";
import type { DownloadEvent } from "../download-event.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Storage } from "../storage/storage.ts";
import { findSpaceShortage, type SpaceShortage } from "../storage/free-space.ts";
import type {
  ClientLink,
  IncomingStream,
  Outcome,
  Progress,
  StreamCommand,
  StreamMessage,
} from "./incoming-stream.ts";
import { type Stall, StallWatch } from "./stall-watch.ts";

export interface AttemptOptions {
  download: Downloading;
  /** The number that identifies this download on its client's connection. */
  stream: number;
  /** Maximum number of bytes in a frame, as agreed with the client. */
  chunkSize: number;
  link: ClientLink;
  storage: Pick<Storage, "freeSpace">;
  /** Number of bytes that must stay free on the disk. */
  minFreeDisk: number;
  /** Checks whether a download of this size, in bytes, exceeds a quota. Resolves to null if not. */
  findOverQuota: (totalSize: number) => Promise<SpaceShortage | null>;
  /**
   * Whether another download waits for the slot or quota that this attempt uses. If so, this attempt is
   * interrupted when its client is slow.
   */
  othersWait: () => Promise<boolean>;
  /** Records an event of the download. Resolves to the download after the event. */
  report: (event: DownloadEvent) => Promise<Download>;
  metrics: Metrics;
  logger: Logger;
}

/** How many times in a row a damaged chunk or frame is requested again before the download fails. */
const MAX_RESENDS = 3;

/** Types of outcome that the client learns of by a `cancel` message. */
const NEEDS_CANCEL: ReadonlySet<Outcome["type"]> = new Set(["failed", "abandoned", "gave_way"]);

/** Common base of the attempts to receive a file or a set: rate limit, timeouts, and how an attempt ends. */
export abstract class IncomingAttempt<Options extends AttemptOptions> implements IncomingStream {
  protected readonly stallWatch = new StallWatch();
  readonly #outcome = Promise.withResolvers<Outcome>();
  /** Rate limit set by an operator, in bytes a second; null: no limit. */
  #rateLimit: number | null;

  constructor(protected readonly options: Options) {
    this.#rateLimit = options.download.rateLimit;
  }

  abstract get progress(): Progress;
  abstract onMessage(message: StreamMessage): void;
  abstract onFrame(frame: Frame): boolean;

  get epoch(): number {
    return this.options.download.epoch;
  }

  get clientId(): string {
    return this.options.download.clientId;
  }

  get ended(): Promise<Outcome> {
    return this.#outcome.promise;
  }

  /** Changes the rate limit, in bytes a second; null: no limit. */
  limitRate(rateLimit: number | null): void {
    if (rateLimit === this.#rateLimit) return;
    this.#rateLimit = rateLimit;
    this.applyRateLimit(rateLimit);
  }

  /** Runs the attempt until it has ended and its resources are closed. Never rejects. */
  async run(): Promise<Outcome> {
    await this.begin().catch((error: unknown) => this.broke(error));
    const outcome = await this.ended;
    await this.close(outcome).catch((error: unknown) => {
      const { message } = problemOf(error, "storage_error");
      this.options.logger.warn(`the last bytes were not kept: ${message}`);
    });
    return outcome;
  }

  lose(): void {
    this.end({ type: "lost" });
  }

  /**
   * Ends the attempt because the download's row was changed elsewhere, for example by a cancel. Bytes not yet
   * written are dropped.
   */
  abandon(): void {
    this.end({ type: "abandoned" });
  }

  giveWay(problem: Problem): void {
    this.end({ type: "gave_way", problem });
  }

  violated(error: FdsError): void {
    const message = `the client broke the protocol: ${error.message}`;
    this.fail({ code: "protocol_error", message });
  }

  /** Fails the attempt because of an error. An error other than FdsError is logged with its stack. */
  broke(error: unknown): void {
    if (!(error instanceof FdsError)) {
      this.options.logger.error("a download met an error of the server", {}, error);
    }
    this.fail(problemOf(error, "storage_error"));
  }

  checkStalled(): void {
    const stall = this.stallWatch.judge(this.isClientsTurn(), this.#rateLimit);
    if (stall?.type === "silent") {
      const message = `the client sent nothing for ${stall.seconds} s`;
      this.fail({ code: "client_timeout", message });
    } else if (stall) {
      this.#giveWayIfOthersWait(stall).catch((error: unknown) => this.broke(error));
    }
  }

  async #giveWayIfOthersWait({ bytes, seconds }: Extract<Stall, { type: "slow" }>): Promise<void> {
    if (!this.othersWaitForCredit && !(await this.options.othersWait())) return;
    const sent = formatSize(Math.floor(bytes));
    const message = `the client sent ${sent} in ${seconds} s and others wait: it goes on in its turn`;
    this.giveWay({ code: "client_timeout", message });
  }

  /** Sends the client a message about this attempt's stream. */
  tell(command: StreamCommand): void {
    const { stream, link } = this.options;
    link.send({ ...command, stream, epoch: this.epoch });
  }

  /** Asks the client for the file or set. The attempt then goes on with the client's messages. */
  protected abstract begin(): Promise<void>;
  /** Stops accepting messages and frames. */
  protected abstract stop(): void;
  /**
   * Closes the resources of the attempt. After a lost or failed attempt, bytes that arrived are first made
   * durable for the next attempt.
   */
  protected abstract close(outcome: Outcome): Promise<void>;
  /** Applies a changed rate limit, in bytes a second; null: no limit. */
  protected abstract applyRateLimit(rateLimit: number | null): void;
  /**
   * Whether the server is waiting for the client. False while the server itself has to read, write or grant
   * credit.
   */
  protected abstract isClientsTurn(): boolean;
  /** Whether other streams wait for credit. This attempt may hold credit that they need. */
  protected abstract get othersWaitForCredit(): boolean;
  protected abstract get isOver(): boolean;

  /** Rate limit set by an operator, in bytes a second; null: no limit. */
  protected get rateLimit(): number | null {
    return this.#rateLimit;
  }

  /**
   * Records an event of the download.
   * @returns the download after the event; null: the download no longer belongs to this attempt, which is
   *   then over
   */
  protected async report(event: DownloadEvent): Promise<Downloading | null> {
    const after = await this.options.report(event);
    if (after.status === "downloading" && after.epoch === this.epoch) return after;
    this.abandon();
    return null;
  }

  /**
   * Ends the attempt if the rest of the download would not leave enough free space on the disk.
   * @param totalSize size of the download in bytes; 0: not known yet
   * @param written number of the download's bytes that are already on the disk
   */
  protected async endIfNoRoom(totalSize: number, written = 0): Promise<void> {
    const { storage, minFreeDisk } = this.options;
    const noRoom = await findSpaceShortage(storage, totalSize, written, minFreeDisk);
    if (noRoom) this.fail(noRoom.problem, noRoom.final);
  }

  /**
   * Ends the attempt if a download of this size, in bytes, exceeds a quota.
   * @returns whether the attempt was ended
   */
  protected async endIfOverQuota(totalSize: number): Promise<boolean> {
    const overQuota = await this.options.findOverQuota(totalSize);
    if (overQuota) this.fail(overQuota.problem, overQuota.final);
    return overQuota !== null;
  }

  /**
   * Requests a damaged piece again, or fails the download if it was requested too often.
   * @param offset offset at which the piece begins, in bytes
   * @param times how many times in a row the piece arrived damaged
   * @param piece the piece's name for messages, and the error code if the download fails
   */
  protected askAgain(
    offset: number,
    times: number,
    piece: { name: string; code: Problem["code"] },
  ): void {
    const { name, code } = piece;
    if (times > MAX_RESENDS) {
      return this.fail(
        { code, message: `the ${name} at ${offset} came damaged ${times} times` },
        true,
      );
    }
    this.options.logger.warn(`a ${name} came damaged and is asked for again`, { offset });
    this.tell({ type: "resend", offset });
  }

  protected fail(problem: Problem, final = false): void {
    this.end({ type: "failed", problem, final });
  }

  protected end(outcome: Outcome): void {
    if (this.isOver) return;
    this.stop();
    if (NEEDS_CANCEL.has(outcome.type)) this.tell({ type: "cancel" });
    this.#outcome.resolve(outcome);
  }
}

/** Returns the error for a violation of the protocol by the client. */
export function protocolError(message: string): FdsError {
  return new FdsError("protocol_error", message);
}
