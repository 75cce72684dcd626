import { FdsError } from "../protocol/errors.ts";
import {
  type ClientMessage,
  type DownloadRequest,
  type ListRequest,
  MAX_STREAMS,
  type ServerMessage,
  type SetRequest,
  ZSTD,
  type ServerStreamMessage,
} from "../protocol/messages.ts";
import type { Logger } from "../util/logger.ts";
import { AtRest } from "../util/at-rest.ts";
import { cutToFit } from "../util/plain-text.ts";
import type { TokenBucket } from "../util/token-bucket.ts";
import { Compressor } from "./compressor.ts";
import type { DailyLimit } from "./owner-rules/daily-limit.ts";
import type { Roots } from "./owner-rules/roots.ts";
import type { RequestDetails, RequestResult, OutgoingStream } from "./outgoing-stream.ts";
import { Sender } from "./sender.ts";
import { FrameOutlet } from "./sets/frame-outlet.ts";
import { ListSender } from "./sets/list-sender.ts";
import { SetSender } from "./sets/set-sender.ts";
import { type Outgoing, SendScheduler } from "./send-scheduler.ts";

export interface AgentOptions {
  roots: Roots;
  /** Maximum number of bytes of a file in one frame. */
  chunkSize: number;
  /** Limits the rate, in bytes a second, of all frames that this client sends, over all its connections. */
  rateLimit: TokenBucket;
  /** Maximum number of bytes that may leave the site in a day; null for no limit. */
  dailyLimit: DailyLimit | null;
  /** Called at the end of each request of the server, with the request's outcome. */
  onRequestEnded: (details: RequestDetails, result: RequestResult) => Promise<void>;
  /** Whether frames may be compressed if the server accepts this. */
  compress: boolean;
  logger: Logger;
}

/**
 * Once a connection has sent this many bytes of one file or set, the wait before the next reconnect is short.
 */
const MIN_DELIVERED_BYTES = 4 * 1024 * 1024;

/**
 * Maximum number of requests that are served at once. This is twice the number of streams that the protocol
 * allows, because a finished request takes a moment to close its file, and the server may begin another one
 * meanwhile.
 */
const MAX_OPEN = 2 * MAX_STREAMS;

/** Maximum number of bytes of a path in a line of the log, because the server chooses the path. */
const MAX_LOGGED_PATH_BYTES = 512;

/** Time without a request, in ms, after which garbage is collected. */
const IDLE_BEFORE_GC_MS = 3_000;

/**
 * Collects garbage while no request runs, because the runtime itself collects only when it needs more memory.
 * All agents of a process share this object, because they share one heap.
 */
const gcWhenIdle = new AtRest(() => Bun.gc(true), IDLE_BEFORE_GC_MS);

/** Serves the server's requests on one connection, with one outgoing stream for each request. */
export class Agent {
  readonly #streams = new Map<number, OutgoingStream>();
  readonly #running = new Set<Promise<void>>();
  readonly #scheduler: SendScheduler;
  #hasDelivered = false;

  constructor(
    private readonly socket: Outgoing,
    private readonly options: AgentOptions,
  ) {
    this.#scheduler = new SendScheduler(socket, options.rateLimit);
    gcWhenIdle.idle();
  }

  /** Whether this connection has delivered a whole file, set or listing, or a large part of a file or set. */
  get hasDelivered(): boolean {
    return this.#hasDelivered;
  }

  /**
   * Handles a message of the server. A message about a stream that has ended is ignored.
   * @throws FdsError `protocol_error` if a request names a stream that is in use, or if there are too many
   *   streams
   */
  handle(message: ServerStreamMessage): void {
    if (isRequest(message)) return this.#start(message);
    const stream = this.#streams.get(message.stream);
    switch (message.type) {
      case "credit":
        this.#hasDelivered ||= stream?.hasSent(MIN_DELIVERED_BYTES) ?? false;
        return stream?.grant(message.max_offset);
      case "resend":
        return stream?.resend(message.offset);
      case "cancel":
        return stream?.stop("cancelled");
      case "done":
        this.#hasDelivered = true;
        return stream?.stop("done");
      default:
        return stream?.onSetMessage(message);
    }
  }

  /** Stops all streams after the connection has ended. Resolves when all files are closed. */
  async stop(): Promise<void> {
    for (const sender of this.#streams.values()) sender.stop("disconnected");
    this.#scheduler.close();
    await Promise.all(this.#running);
    gcWhenIdle.busy();
  }

  #start(request: StreamRequest): void {
    const { stream } = request;
    // A second stream with this number would replace the first one in the map, so nothing could stop the
    // first one.
    if (this.#streams.has(stream)) {
      throw new FdsError("protocol_error", `stream ${stream} is in use`);
    }
    if (this.#streams.size >= MAX_OPEN) {
      throw new FdsError("protocol_error", `over ${MAX_OPEN} files were asked for at once`);
    }
    const sender = this.#streamFor(request);
    this.#streams.set(stream, sender);
    gcWhenIdle.busy();
    const running = sender
      .run()
      .then((result) => this.options.onRequestEnded(sender.requestDetails, result))
      .finally(() => {
        this.#streams.delete(stream);
        this.#running.delete(running);
        if (this.#streams.size > 0) return;
        this.#scheduler.beginPause();
        gcWhenIdle.idle();
      });
    this.#running.add(running);
  }

  #streamFor(request: StreamRequest): OutgoingStream {
    const { logger } = this.options;
    const send = (message: ClientMessage) => this.socket.send(JSON.stringify(message));
    switch (request.type) {
      case "download_request": {
        const { download_id, file_path, offset } = request;
        const shown = cutToFit(file_path, MAX_LOGGED_PATH_BYTES);
        const streamLogger = logger.with({ download_id, file_path: shown });
        streamLogger.info("file requested", { offset });
        return new Sender({
          ...this.options,
          request,
          scheduler: this.#scheduler,
          send,
          logger: streamLogger,
        });
      }
      case "set_request": {
        const streamLogger = logger.with({ download_id: request.download_id });
        streamLogger.info("set requested");
        const outlet = this.#outletFor(request);
        return new SetSender({ ...this.options, request, outlet, send, logger: streamLogger });
      }
      case "list_request": {
        logger.info("listing requested", {
          path: cutToFit(request.path ?? "", MAX_LOGGED_PATH_BYTES),
        });
        const outlet = this.#outletFor(request);
        return new ListSender({ ...this.options, request, outlet, send, logger });
      }
    }
  }

  #outletFor(request: SetRequest | ListRequest): FrameOutlet {
    const { chunkSize, compress } = this.options;
    return new FrameOutlet({
      stream: request.stream,
      epoch: request.epoch,
      chunkSize: Math.min(chunkSize, request.chunk_size),
      maxOffset: request.max_offset,
      scheduler: this.#scheduler,
      compressor: compress && request.accepts?.includes(ZSTD) ? new Compressor() : null,
    });
  }
}

/** A server's message that begins a stream. */
export type StreamRequest = DownloadRequest | SetRequest | ListRequest;

function isRequest(message: ServerMessage): message is StreamRequest {
  return message.type.endsWith("_request");
}
