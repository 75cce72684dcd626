import {
  type ClientMessage,
  type ListRequest,
  MAX_ERROR_LENGTH,
  type ClientStreamMessage,
} from "../../protocol/messages.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { Logger } from "../../util/logger.ts";
import { clientErrorOf } from "../client-error.ts";
import type {
  RequestDetails,
  RequestResult,
  OutgoingStream,
  StopReason,
} from "../outgoing-stream.ts";
import type { Roots } from "../owner-rules/roots.ts";
import type { FrameOutlet } from "./frame-outlet.ts";
import { listFolder, type Page } from "./listing.ts";
import { LineSender } from "./manifest.ts";
import { listingIsOff } from "./walk.ts";

export interface ListSenderOptions {
  request: ListRequest;
  roots: Roots;
  outlet: FrameOutlet;
  send: (message: ClientMessage) => void;
  logger: Logger;
}

/** Answers the server's request for the names in a folder. */
export class ListSender implements OutgoingStream {
  readonly #lines: LineSender;
  readonly #ended = Promise.withResolvers<StopReason>();
  #stopped: StopReason | undefined;
  /** The listed page; undefined until all its lines were sent once. */
  #page: Page | undefined;

  constructor(private readonly options: ListSenderOptions) {
    this.#lines = new LineSender(options.outlet, () => this.#stopped === undefined);
  }

  get requestDetails(): RequestDetails {
    return { action: "browse", file_path: this.options.request.path ?? "" };
  }

  async run(): Promise<RequestResult> {
    try {
      await this.#deliver();
    } catch (error) {
      const { code, message } = clientErrorOf(error);
      this.options.logger.info(`not listed: ${message}`, { code });
      this.#send({ type: "error", code, message: message.slice(0, MAX_ERROR_LENGTH) });
      return { outcome: "refused", bytesSent: 0, reason: `${code}: ${message}` };
    }
    const stopped = await this.#ended.promise;
    return { outcome: stopped === "done" ? "sent" : stopped, bytesSent: 0 };
  }

  hasSent(): boolean {
    return false;
  }

  grant(maxOffset: number): void {
    this.options.outlet.grant(maxOffset);
  }

  resend(offset: number): void {
    this.options.outlet.rewind(offset);
    this.#lines
      .sendRest()
      .then(() => this.#tellComplete())
      .catch((error: unknown) =>
        this.options.logger.error("a listing was not sent again", {}, error),
      );
  }

  stop(reason: StopReason): void {
    this.#stopped ??= reason;
    this.options.outlet.close();
    this.#ended.resolve(reason);
  }

  onSetMessage(): never {
    throw new FdsError("protocol_error", "a listing is no set");
  }

  async #deliver(): Promise<void> {
    const { request, roots } = this.options;
    const { path, after, limit } = request;
    const pathCheck = await roots.pathCheck();
    if (!pathCheck.mayBrowse) throw listingIsOff();
    const page = await listFolder({ pathCheck, path, after, limit });
    for (const { name, type, size, mtimeMs } of page.entries) {
      await this.#lines.add({ name, type, size, mtime_ms: mtimeMs });
    }
    await this.#lines.flush();
    this.#page = page;
    this.#tellComplete();
  }

  #tellComplete(): void {
    if (!this.#page || this.#stopped) return;
    const { more, truncated } = this.#page;
    this.#send({ type: "list_complete", total_size: this.#lines.length, more, truncated });
  }

  #send(message: WithoutAddress<ClientStreamMessage>): void {
    const { stream, epoch } = this.options.request;
    this.options.send({ ...message, stream, epoch });
  }
}

type WithoutAddress<T> = T extends unknown ? Omit<T, "stream" | "epoch"> : never;
