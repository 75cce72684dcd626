import { PatternError } from "../../protocol/braces.ts";
import { FdsError } from "../../protocol/errors.ts";
import {
  type ClientMessage,
  MAX_ERROR_LENGTH,
  type SetRequest,
  type WantedFile,
  type ClientStreamMessage,
} from "../../protocol/messages.ts";
import { MAX_PATTERNS, PathPatterns } from "../../protocol/patterns.ts";
import { garbage } from "../../util/garbage.ts";
import type { Logger } from "../../util/logger.ts";
import { clientErrorOf } from "../client-error.ts";
import { Allowance } from "../owner-rules/allowance.ts";
import type { DailyLimit } from "../owner-rules/daily-limit.ts";
import type { PathCheck } from "../owner-rules/path-check.ts";
import type { Roots } from "../owner-rules/roots.ts";
import type {
  RequestDetails,
  RequestResult,
  OutgoingStream,
  SetMessage,
  StopReason,
} from "../outgoing-stream.ts";
import type { OnProgress } from "../prefix-hash.ts";
import { progressReporter } from "../proving.ts";
import { FileSender } from "./file-sender.ts";
import { FrameBuilder } from "./frame-builder.ts";
import type { FrameOutlet } from "./frame-outlet.ts";
import { LineSender, manifestLine, SetTally } from "./manifest.ts";
import { SetFiles } from "./set-files.ts";
import { WantList } from "./want-list.ts";
import { Walk } from "./walk.ts";

/**
 * Bytes of the daily limit that are reserved at a time. Each reservation is written to the disk, so many
 * small files share one reservation.
 */
const RESERVED_AHEAD = 16 * 1024 * 1024;

type SetListMessage = Extract<SetMessage, { type: "set_list" }>;

export interface SetSenderOptions {
  request: SetRequest;
  roots: Roots;
  outlet: FrameOutlet;
  send: (message: ClientMessage) => void;
  /** Maximum number of bytes that may leave the site in a day; null for no limit. */
  dailyLimit: DailyLimit | null;
  logger: Logger;
}

/**
 * Answers the server's requests for a set. Sends a manifest of the matching files if the server asks for one,
 * then the files that the server wants. Keeps no state between connections.
 */
export class SetSender implements OutgoingStream {
  readonly #include: string[] = [];
  readonly #exclude: string[] = [];
  readonly #wants = new WantList();
  readonly #frames: FrameBuilder;
  /** The server's request for a manifest, while unanswered. */
  #listRequest: SetListMessage | undefined;
  #lines: LineSender | undefined;
  /** Indices of the patterns that match no file. */
  #unmatched: number[] = [];
  #resendFrom: number | undefined;
  #stopped: StopReason | undefined;
  #wake: () => void = () => undefined;
  #sender: FileSender | undefined;

  constructor(private readonly options: SetSenderOptions) {
    this.#frames = new FrameBuilder(options.outlet, () => this.#isWanted);
  }

  get requestDetails(): RequestDetails {
    const { download_id } = this.options.request;
    const files = this.#sender?.sentFiles ?? 0;
    return { action: "set", download_id, file_path: this.#include.join(" "), files };
  }

  async run(): Promise<RequestResult> {
    const { roots, dailyLimit, logger } = this.options;
    const allowance = new Allowance(dailyLimit, RESERVED_AHEAD);
    try {
      const pathCheck = await roots.pathCheck();
      using files = new SetFiles(pathCheck);
      this.#sender = this.#fileSender(files, allowance);
      await this.#serve(pathCheck, this.#sender);
    } catch (error) {
      const reason = this.#reportError(error);
      if (!this.#stopped) return { outcome: "refused", bytesSent: this.#sentBytes, reason };
    } finally {
      await this.#sender?.close();
      await allowance.end();
    }
    logger.info(`set ${this.#stopped === "done" ? "delivered" : `not sent: ${this.#stopped}`}`);
    const outcome = this.#stopped === "done" ? "sent" : (this.#stopped ?? "disconnected");
    return { outcome, bytesSent: this.#sentBytes };
  }

  hasSent(bytes: number): boolean {
    return this.options.outlet.offset >= bytes;
  }

  grant(maxOffset: number): void {
    this.options.outlet.grant(maxOffset);
  }

  resend(offset: number): void {
    this.#resendFrom = offset;
    this.#wakeUp();
  }

  stop(reason: StopReason): void {
    this.#stopped ??= reason;
    this.options.outlet.close();
    this.#wakeUp();
  }

  onSetMessage(message: SetMessage): void {
    switch (message.type) {
      case "set_select":
        addPatterns(this.#include, message.include);
        addPatterns(this.#exclude, message.exclude);
        break;
      case "set_list":
        this.#listRequest = message;
        break;
      case "set_want":
        // Frees the manifest's lines, which can take tens of megabytes, because the server has all of them by
        // now.
        this.#lines = undefined;
        this.#wants.add(message.files);
    }
    this.#wakeUp();
  }

  get #sentBytes(): number {
    return this.#sender?.sentBytes ?? 0;
  }

  /**
   * Whether to go on sending. False once the stream is stopped, or once the server asks for a damaged frame
   * again.
   */
  get #isWanted(): boolean {
    return this.#stopped === undefined && this.#resendFrom === undefined;
  }

  #fileSender(files: SetFiles, allowance: Allowance): FileSender {
    return new FileSender({
      files,
      frames: this.#frames,
      checksum: this.options.request.checksum,
      isWanted: () => this.#isWanted,
      progressReporter: () => this.#progressReporter(),
      allowance,
    });
  }

  async #serve(pathCheck: PathCheck, sender: FileSender): Promise<void> {
    while (!this.#stopped) {
      if (this.#resendFrom !== undefined) await this.#rewind();
      else if (this.#listRequest) await this.#sendManifest(pathCheck, this.#listRequest);
      else if (this.#wants.next) await this.#sendFile(this.#wants.next, sender);
      else if (!this.#frames.isEmpty) await this.#frames.flush();
      else await this.#waitForWake();
    }
  }

  async #sendManifest(pathCheck: PathCheck, listRequest: SetListMessage): Promise<void> {
    this.#listRequest = undefined;
    const walk = new Walk({
      pathCheck,
      include: patternsOf(this.#include),
      exclude: patternsOf(this.#exclude),
      minAgeMs: listRequest.min_age_ms,
      onProgress: this.#progressReporter(),
    });
    const tally = new SetTally({
      maxFiles: listRequest.max_files,
      maxBytes: listRequest.max_bytes,
    });
    const lines = new LineSender(this.options.outlet, () => this.#isWanted);
    this.#lines = lines;
    for await (const batch of walk.files()) {
      for (const found of batch) {
        tally.add(found);
        await lines.add(manifestLine(found));
      }
      garbage.add(batch.length);
    }
    this.#unmatched = walk.unmatched;
    await lines.flush();
    this.#tellListed();
  }

  #tellListed(): void {
    if (!this.#isWanted || !this.#lines) return;
    const { length: total_size } = this.#lines;
    this.#send({ type: "set_listed", total_size, unmatched: this.#unmatched });
  }

  async #sendFile(want: WantedFile, sender: FileSender): Promise<void> {
    const fileNumber = this.#wants.position;
    const resumeAt = this.#wants.resumeAt;
    await sender.send(want, fileNumber, resumeAt, this.#wants.afterNext);
    garbage.add(1);
    if (this.#isWanted) this.#wants.advance();
  }

  /** Goes back to a damaged frame, to send everything from there on again. */
  async #rewind(): Promise<void> {
    const at = this.#resendFrom ?? 0;
    this.#resendFrom = undefined;
    if (this.#lines && at < this.#lines.length) {
      this.options.outlet.rewind(at);
      await this.#lines.sendRest();
      return this.#tellListed();
    }
    const position = this.#frames.rewind(at);
    if (!position || !this.#wants.rewind(position)) {
      throw new FdsError("file_unreadable", `no frame of the set begins at ${at}`);
    }
  }

  #progressReporter(): OnProgress {
    return progressReporter(
      (offset) => this.#send({ type: "proving", offset }),
      () => this.#stopped === undefined,
    );
  }

  /**
   * Logs why the set is not sent, and tells the server unless the stream was stopped.
   * @returns the error's code and message, in one line
   */
  #reportError(error: unknown): string {
    const { code, message } = clientErrorOf(error);
    this.options.logger.warn(`set not sent: ${message}`, { code });
    if (!this.#stopped) {
      this.#send({ type: "error", code, message: message.slice(0, MAX_ERROR_LENGTH) });
    }
    return `${code}: ${message}`;
  }

  #send(message: WithoutAddress<ClientStreamMessage>): void {
    const { stream, epoch } = this.options.request;
    this.options.send({ ...message, stream, epoch });
  }

  #wakeUp(): void {
    this.options.outlet.wake();
    this.#wake();
  }

  #waitForWake(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

type WithoutAddress<T> = T extends unknown ? Omit<T, "stream" | "epoch"> : never;

/** Adds patterns to a list. @throws FdsError `protocol_error` when there are more than a set may have */
function addPatterns(patterns: string[], more: string[]): void {
  if (patterns.length + more.length > MAX_PATTERNS) {
    throw new FdsError("protocol_error", `over ${MAX_PATTERNS} patterns of a set`);
  }
  patterns.push(...more);
}

/**
 * Parses the patterns of a set. The server has parsed the same patterns before, so an error here means that
 * the server breaks the protocol.
 * @throws FdsError `access_denied` if a pattern is invalid
 */
function patternsOf(patterns: string[]): PathPatterns {
  try {
    return new PathPatterns(patterns);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new FdsError("access_denied", error.message, { cause: error });
  }
}
