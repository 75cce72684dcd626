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
  /** The number of this download on its connection. */
  stream: number;
  /** Most bytes in a frame, as agreed with the client. */
  chunkSize: number;
  link: ClientLink;
  storage: Pick<Storage, "freeSpace">;
  /** Bytes that must stay free on the disk. */
  minFreeDisk: number;
  /** Checks whether a download of this size, in bytes, exceeds a quota; null: it does not. */
  findOverQuota: (totalSize: number) => Promise<SpaceShortage | null>;
  /** Whether somebody waits for this attempt's slot or quota. Then a slow client has to give way. */
  othersWait: () => Promise<boolean>;
  /** Records an event. @returns the download as it is then */
  report: (event: DownloadEvent) => Promise<Download>;
  metrics: Metrics;
  logger: Logger;
}

/** How often a damaged piece is requested again. */
const MAX_RESENDS = 3;

/** Outcomes that the server decides, so the client has to be told. */
const IS_UNKNOWN_TO_CLIENT: ReadonlySet<Outcome["type"]> = new Set([
  "failed",
  "abandoned",
  "gave_way",
]);

/** The common part of attempts at files and at sets: how they end, and how that is reported. */
export abstract class IncomingAttempt<Options extends AttemptOptions> implements IncomingStream {
  protected readonly stalled = new StallWatch();
  readonly #outcome = Promise.withResolvers<Outcome>();
  /** Rate limit set by an operator, in bytes a second; null: none. */
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

  /** Changes the rate limit, in bytes a second; null: none. */
  limitRate(rateLimit: number | null): void {
    if (rateLimit === this.#rateLimit) return;
    this.#rateLimit = rateLimit;
    this.applyRateLimit(rateLimit);
  }

  /** Runs until the attempt has ended and everything is closed; never rejects. */
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

  /** Ends the attempt, as somebody else changed the row, for example by a cancel. Nothing is kept. */
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

  /** Ends the attempt by an unexpected error, which is logged with its stack. */
  broke(error: unknown): void {
    if (!(error instanceof FdsError)) {
      this.options.logger.error("a download met an error of the server", {}, error);
    }
    this.fail(problemOf(error, "storage_error"));
  }

  checkStalled(): void {
    const stall = this.stalled.judge(this.isClientsTurn(), this.#rateLimit);
    if (stall?.type === "silent") {
      const message = `the client sent nothing for ${stall.seconds} s`;
      this.fail({ code: "client_timeout", message });
    } else if (stall) {
      this.#letOthersGo(stall).catch((error: unknown) => this.broke(error));
    }
  }

  async #letOthersGo({ bytes, seconds }: Extract<Stall, { type: "slow" }>): Promise<void> {
    if (!this.creditIsWanted && !(await this.options.othersWait())) return;
    const sent = formatSize(Math.floor(bytes));
    const message = `the client sent ${sent} in ${seconds} s and others wait: it goes on in its turn`;
    this.giveWay({ code: "client_timeout", message });
  }

  /** Sends the client a message about this stream. */
  tell(command: StreamCommand): void {
    const { stream, link } = this.options;
    link.send({ ...command, stream, epoch: this.epoch });
  }

  /** Asks the client. Everything else follows from its messages. */
  protected abstract begin(): Promise<void>;
  /** Stops: nothing more is accepted. */
  protected abstract stop(): void;
  /** Writes what arrived in order, so that the next attempt can use it, and closes everything. */
  protected abstract close(outcome: Outcome): Promise<void>;
  /** Applies another rate limit. */
  protected abstract applyRateLimit(rateLimit: number | null): void;
  /** Whether the client has to act next; false while the server has to read, write or grant. */
  protected abstract isClientsTurn(): boolean;
  /** Whether other streams wait for credit that this one may hold. */
  protected abstract get creditIsWanted(): boolean;
  protected abstract get isOver(): boolean;

  /** Rate limit set by an operator, in bytes a second; null: none. */
  protected get rateLimit(): number | null {
    return this.#rateLimit;
  }

  /** @returns the download as it is now, or null if it no longer belongs to this attempt */
  protected async report(event: DownloadEvent): Promise<Downloading | null> {
    const after = await this.options.report(event);
    if (after.status === "downloading" && after.epoch === this.epoch) return after;
    this.abandon();
    return null;
  }

  /**
   * Ends the attempt where the rest would not leave enough free space on the disk.
   * @param totalSize of the download, in bytes; 0 where it is not known yet
   * @param written bytes of it that are on the disk already
   */
  protected async endIfNoRoom(totalSize: number, written = 0): Promise<void> {
    const { storage, minFreeDisk } = this.options;
    const noRoom = await findSpaceShortage(storage, totalSize, written, minFreeDisk);
    if (noRoom) this.fail(noRoom.problem, noRoom.final);
  }

  /** Ends the attempt where a download of this size, in bytes, exceeds a quota. @returns whether it did */
  protected async endIfOverQuota(totalSize: number): Promise<boolean> {
    const overQuota = await this.options.findOverQuota(totalSize);
    if (overQuota) this.fail(overQuota.problem, overQuota.final);
    return overQuota !== null;
  }

  /**
   * Requests a damaged piece again, or ends the attempt after too many requests.
   * @param offset where it begins
   * @param times how often it arrived damaged in a row
   * @param what name of the piece, and the code with which the download fails in the end
   */
  protected askAgain(
    offset: number,
    times: number,
    what: { name: string; code: Problem["code"] },
  ): void {
    const { name, code } = what;
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
    if (IS_UNKNOWN_TO_CLIENT.has(outcome.type)) this.tell({ type: "cancel" });
    this.#outcome.resolve(outcome);
  }
}

/** The error for a breach of the protocol by the client. */
export function broken(message: string): FdsError {
  return new FdsError("protocol_error", message);
}
