import { FdsError, type Problem, problemOf } from "../../protocol/errors.ts";
import type { Frame } from "../../protocol/frame.ts";
import type { Logger } from "../../util/logger.ts";
import { formatSize } from "../../util/sizes.ts";
import type { Download, Downloading } from "../download.ts";
import type { DownloadEvent } from "../download-event.ts";
import type { Metrics } from "../metrics/metrics.ts";
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
  /** Whether somebody waits for what this attempt holds: then a client that is slow gives way. */
  othersWait: () => Promise<boolean>;
  /** Records what happened; gives the download as it then is. */
  report: (event: DownloadEvent) => Promise<Download>;
  metrics: Metrics;
  logger: Logger;
}

/** Ends that a client has to be told of: the server's doing. */
const IS_UNKNOWN_TO_CLIENT: ReadonlySet<Outcome["type"]> = new Set([
  "failed",
  "abandoned",
  "gave_way",
]);

/** What all attempts at a download have in common: how they end, and what is said of them. */
export abstract class IncomingAttempt<Options extends AttemptOptions> implements IncomingStream {
  protected readonly stalled = new StallWatch();
  readonly #outcome = Promise.withResolvers<Outcome>();

  constructor(protected readonly options: Options) {}

  abstract get progress(): Progress;
  abstract onMessage(message: StreamMessage): void;
  abstract onFrame(frame: Frame): boolean;
  /** Changes the most bytes a second; null: without a limit. */
  abstract limitRate(rateLimit: number | null): void;

  get epoch(): number {
    return this.options.download.epoch;
  }

  get clientId(): string {
    return this.options.download.clientId;
  }

  get ended(): Promise<Outcome> {
    return this.#outcome.promise;
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

  /** The row was changed by somebody else, a cancel for one: nothing is kept. */
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

  /** A bug keeps its stack in the log. */
  broke(error: unknown): void {
    if (!(error instanceof FdsError)) {
      this.options.logger.error("a download met an error of the server", {}, error);
    }
    this.fail(problemOf(error, "storage_error"));
  }

  checkStalled(): void {
    const stall = this.stalled.judge(this.isClientsTurn(), this.rateLimit);
    if (stall?.type === "silent") {
      const message = `the client sent nothing for ${stall.seconds} s`;
      this.fail({ code: "client_timeout", message });
    } else if (stall) {
      this.#letOthersGo(stall).catch((error: unknown) => this.broke(error));
    }
  }

  async #letOthersGo({ bytes, seconds }: Extract<Stall, { type: "slow" }>): Promise<void> {
    if (!(await this.options.othersWait())) return;
    const sent = formatSize(Math.floor(bytes));
    const message = `the client sent ${sent} in ${seconds} s and others wait: it goes on in its turn`;
    this.giveWay({ code: "client_timeout", message });
  }

  /** Tells the client something about this stream. */
  tell(command: StreamCommand): void {
    const { stream, link } = this.options;
    link.send({ ...command, stream, epoch: this.epoch });
  }

  /** Asks the client; what follows comes with its messages. */
  protected abstract begin(): Promise<void>;
  /** Nothing more is taken from now on. */
  protected abstract stop(): void;
  /** Keeps what arrived in order where the next attempt can use it, and lets go of everything. */
  protected abstract close(outcome: Outcome): Promise<void>;
  /** Most bytes a second that an operator allows; null: no limit. */
  protected abstract get rateLimit(): number | null;
  /** False while it is for the server to read, to write or to grant. */
  protected abstract isClientsTurn(): boolean;
  protected abstract get isOver(): boolean;

  /** @returns the download as it now is, or null if it is no longer this attempt's */
  protected async report(event: DownloadEvent): Promise<Downloading | null> {
    const after = await this.options.report(event);
    if (after.status === "downloading" && after.epoch === this.epoch) return after;
    this.abandon();
    return null;
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

/** The error of a client that broke the protocol. */
export function broken(message: string): FdsError {
  return new FdsError("protocol_error", message);
}
