import { FdsError } from "../protocol/errors.ts";
import {
  type ClientMessage,
  type DownloadRequest,
  MAX_STREAMS,
  type ServerMessage,
} from "../protocol/messages.ts";
import type { Logger } from "../util/logger.ts";
import { cutToFit } from "../util/plain-text.ts";
import type { TokenBucket } from "../util/token-bucket.ts";
import type { DailyLimit } from "./owner-rules/daily-limit.ts";
import type { Roots } from "./owner-rules/roots.ts";
import { type Delivery, Sender } from "./sender.ts";
import { type Outgoing, Turns } from "./turns.ts";

export interface AgentOptions {
  roots: Roots;
  /** Most bytes of a file in one frame. */
  chunkSize: number;
  /** Of all that this client sends, over all its connections. */
  rateLimit: TokenBucket;
  /** The most that may leave in a day; null: without a limit. */
  dailyLimit: DailyLimit | null;
  /** Called with every request that is over. */
  onRequestEnded: (request: DownloadRequest, delivery: Delivery) => Promise<void>;
  /** Whether chunks may be compressed, where the server takes that. */
  compress: boolean;
  logger: Logger;
}

/** A connection that carried this much did its work, whatever became of it afterwards. */
const WORTH_BYTES = 4 * 1024 * 1024;

/** Most files that are open at once: one that is over takes a moment to be closed. */
const MAX_OPEN = 2 * MAX_STREAMS;

/** Most bytes of a path in each line of the log: the server chooses it. */
const MAX_SHOWN = 512;

/** Answers the server's requests on one connection: a sender for each file that is wanted. */
export class Agent {
  readonly #senders = new Map<number, Sender>();
  readonly #running = new Set<Promise<void>>();
  readonly #turns: Turns;
  #worked = false;

  constructor(
    private readonly socket: Outgoing,
    private readonly options: AgentOptions,
  ) {
    this.#turns = new Turns(socket, options.rateLimit);
  }

  /** Whether the server has taken a good part of a file. */
  get worked(): boolean {
    return this.#worked;
  }

  /**
   * Acts on a message. What is about a file that is no longer being sent comes too late.
   * @throws FdsError `protocol_error` when a request uses the stream of another, or is one too many
   */
  handle(message: Exclude<ServerMessage, { type: "registered" }>): void {
    if (message.type === "download_request") return this.#start(message);
    const sender = this.#senders.get(message.stream);
    switch (message.type) {
      case "credit":
        this.#worked ||= sender?.hasDelivered(WORTH_BYTES) ?? false;
        return sender?.grant(message.max_offset);
      case "resend":
        return sender?.resend(message.offset);
      case "cancel":
        return sender?.stop("cancelled");
      case "done":
        this.#worked = true;
        return sender?.stop("done");
    }
  }

  /** The connection is gone. Resolves when every file is closed. */
  async stop(): Promise<void> {
    for (const sender of this.#senders.values()) sender.stop("disconnected");
    this.#turns.close();
    await Promise.all(this.#running);
  }

  #start(request: DownloadRequest): void {
    const { download_id, stream, file_path, offset } = request;
    // The first sender would be out of reach, and nothing could end it.
    if (this.#senders.has(stream)) {
      throw new FdsError("protocol_error", `stream ${stream} is in use`);
    }
    if (this.#senders.size >= MAX_OPEN) {
      throw new FdsError("protocol_error", `over ${MAX_OPEN} files were asked for at once`);
    }
    const shown = cutToFit(file_path, MAX_SHOWN);
    const logger = this.options.logger.with({ download_id, file_path: shown });
    logger.info("file requested", { offset });
    const send = (message: ClientMessage) => this.socket.send(JSON.stringify(message));
    const sender = new Sender({ ...this.options, request, turns: this.#turns, send, logger });
    this.#senders.set(stream, sender);
    const running = sender
      .run()
      .then((delivery) => this.options.onRequestEnded(request, delivery))
      .finally(() => {
        this.#senders.delete(stream);
        this.#running.delete(running);
      });
    this.#running.add(running);
  }
}
