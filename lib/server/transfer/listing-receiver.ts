import * as z from "zod";
import { FdsError } from "../../protocol/errors.ts";
import type { Frame } from "../../protocol/frame.ts";
import { type ListRequest, ZSTD } from "../../protocol/messages.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { FlowControl, StreamFlowControl } from "./flow-control.ts";
import { protocolError } from "./incoming-attempt.ts";
import { IncomingFrames } from "./incoming-frames.ts";
import type {
  ClientLink,
  IncomingStream,
  StreamCommand,
  StreamMessage,
} from "./incoming-stream.ts";

/** Time limit for a whole listing, in ms. */
const ANSWER_WITHIN_MS = 10_000;
/** Maximum size of a listing, in bytes. A page full of the longest names is smaller. */
const MAX_LISTING_BYTES = 8 * 1024 * 1024;
/** How many times in a row a damaged frame is requested again before the listing fails. */
const MAX_RESENDS = 3;

/** A file or folder in a client's folder, as the client lists it. */
const Entry = z.object({
  name: z.string().min(1).max(4096),
  type: z.enum(["file", "folder"]),
  size: z.int().min(0).nullable(),
  mtime_ms: z.number().min(-8.64e15).max(8.64e15),
});
export type Entry = z.infer<typeof Entry>;

/** One page of the names in a client's folder. */
export interface Listing {
  entries: Entry[];
  /** True: the folder has more names after those of this page. The next page continues with them. */
  more: boolean;
  /** True: the client stopped reading the folder at its limit of names, so the listing lacks some names. */
  truncated: boolean;
}

export interface ListingReceiverOptions {
  /** The number that identifies this listing on its client's connection. */
  stream: number;
  /** Maximum number of bytes in a frame, as agreed with the client. */
  chunkSize: number;
  link: ClientLink;
  credit: FlowControl;
  metrics: Metrics;
}

/** The page of a listing to request. `path` is the folder; undefined: the client's roots are listed. */
export type ListingOrder = Pick<ListRequest, "path" | "after" | "limit">;

/** Receives one listing of a client's folder. */
export class ListingReceiver implements IncomingStream {
  readonly epoch = 1;
  readonly #listing = Promise.withResolvers<Listing>();
  readonly #frames: IncomingFrames;
  readonly #flow: StreamFlowControl;
  readonly #timer: Timer;
  #text = "";
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #isOver = false;
  #order: ListingOrder | undefined;

  constructor(private readonly options: ListingReceiverOptions) {
    const { credit, link, metrics } = options;
    this.#frames = new IncomingFrames({
      bytesOnWire: 0,
      isOver: () => this.#isOver,
      onBytes: (bytes) => this.#take(bytes),
      onDamaged: (offset, times) => this.#askAgain(offset, times),
      metrics,
    });
    this.#frames.open();
    this.#flow = credit.open({
      offset: 0,
      maxUnflushed: MAX_LISTING_BYTES,
      rateLimit: null,
      roundTripMs: () => link.roundTripMs(),
      // A listing is too short for the link's rate to matter.
      knownRate: null,
      onGrant: (max_offset) => this.#tell({ type: "credit", max_offset }),
    });
    this.#flow.setEnd(MAX_LISTING_BYTES);
    this.#timer = setTimeout(() => {
      const message = `The client gave no answer within ${ANSWER_WITHIN_MS / 1000} s`;
      this.#end(new FdsError("client_timeout", message));
    }, ANSWER_WITHIN_MS);
    // Avoids an unhandled rejection if the listing fails before anybody calls `list`.
    this.#listing.promise.catch(() => undefined);
  }

  get ended(): Promise<unknown> {
    return this.#listing.promise.then(
      () => undefined,
      () => undefined,
    );
  }

  /**
   * Asks the client for the listing.
   * @throws FdsError with the error code that the client sent, `client_timeout`, `client_not_connected`,
   *   `protocol_error` or `internal_error`
   */
  list(order: ListingOrder): Promise<Listing> {
    this.#order = order;
    this.#flow.grant();
    this.#tell({
      type: "list_request",
      ...order,
      chunk_size: this.options.chunkSize,
      max_offset: this.#flow.maxOffset,
      accepts: [ZSTD],
    });
    return this.#listing.promise;
  }

  /** Ends the listing because its caller no longer waits for the result. */
  abandon(): void {
    this.#end(new FdsError("client_timeout", "Nobody waited for the client's answer"));
  }

  onMessage(message: StreamMessage): void {
    if (this.#isOver) return;
    switch (message.type) {
      case "error":
        return this.#end(new FdsError(message.code, message.message));
      case "list_complete":
        return this.#complete(message);
      default:
        throw protocolError(`${message.type} is nothing to say about a listing`);
    }
  }

  onFrame(frame: Frame): boolean {
    if (this.#isOver) return false;
    const end = frame.offset + frame.rawLength;
    const { maxOffset } = this.#flow;
    if (end > maxOffset)
      throw protocolError(`a frame reaches beyond the ${maxOffset} bytes granted`);
    return this.#frames.take(frame);
  }

  giveWay(): void {
    // A listing is not interrupted for other streams, because it is short and its caller waits.
  }

  checkStalled(): void {
    // A listing has a time limit of its own, so it needs no check for a stalled client.
  }

  lose(): void {
    this.#end(new FdsError("client_not_connected", "The client's connection was lost"));
  }

  violated(error: FdsError): void {
    this.#end(error);
  }

  broke(error: unknown): void {
    this.#end(
      error instanceof FdsError
        ? error
        : new FdsError("internal_error", "the server could not read a listing", { cause: error }),
    );
  }

  #take(bytes: Uint8Array): void {
    this.#text += this.#decode(bytes);
    this.#flow.wrote(bytes.length);
    this.#flow.flushed(this.#frames.arrived);
  }

  /**
   * Decodes the next bytes of a listing.
   * @param bytes the next bytes; undefined: the listing is complete
   * @throws FdsError `protocol_error` for bytes that are not UTF-8
   */
  #decode(bytes?: Uint8Array): string {
    try {
      return this.#decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (cause) {
      throw new FdsError("protocol_error", "a listing is no UTF-8", { cause });
    }
  }

  #complete({ total_size, more, truncated }: Extract<StreamMessage, { type: "list_complete" }>) {
    // A damaged frame is being resent. The client will send `list_complete` again after it.
    if (this.#frames.isResending) return;
    if (total_size !== this.#frames.arrived) {
      throw protocolError(`list_complete says ${total_size} bytes, ${this.#frames.arrived} came`);
    }
    this.#finish({ more, truncated }).catch((error: unknown) => this.broke(error));
  }

  async #finish(page: Omit<Listing, "entries">): Promise<void> {
    await this.#frames.settled();
    if (this.#isOver || this.#frames.isResending) return;
    const entries = entriesOf(this.#text + this.#decode());
    if (this.#order) checkEntries(entries, this.#order);
    this.#end({ entries, ...page });
  }

  #askAgain(offset: number, times: number): void {
    if (times <= MAX_RESENDS) return this.#tell({ type: "resend", offset });
    this.#end(new FdsError("client_timeout", `The listing came damaged ${times} times`));
  }

  #end(result: Listing | FdsError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#frames.stop();
    this.#flow.close();
    this.#tell({ type: result instanceof FdsError ? "cancel" : "done" });
    if (result instanceof FdsError) this.#listing.reject(result);
    else this.#listing.resolve(result);
  }

  #tell(command: StreamCommand): void {
    const { stream, link } = this.options;
    link.send({ ...command, stream, epoch: this.epoch });
  }
}

/**
 * Checks that a listing matches the request: at most `limit` valid names, in order, all after the last name
 * of the previous page. The order guarantees that reading page after page ends.
 * @throws FdsError `protocol_error`
 */
function checkEntries(entries: Entry[], { path, after = "", limit }: ListingOrder): void {
  if (entries.length > limit) throw protocolError(`a listing has ${entries.length} names`);
  let last = Buffer.from(after);
  for (const { name } of entries) {
    const isName = path === undefined || !(name.includes("/") || name === "." || name === "..");
    if (!isName || name.includes("\0"))
      throw protocolError(`a listing has ${JSON.stringify(name)}`);
    const bytes = Buffer.from(name);
    if (Buffer.compare(last, bytes) >= 0)
      throw protocolError("the names of a listing are out of order");
    last = bytes;
  }
}

/**
 * Parses the text of a listing.
 * @throws FdsError `protocol_error` if the text is no listing
 */
function entriesOf(text: string): Entry[] {
  const lines = text.split("\n");
  if (lines.pop() !== "") throw protocolError("the last line of a listing is not complete");
  return lines.map((line) => {
    try {
      return Entry.parse(JSON.parse(line));
    } catch (cause) {
      throw new FdsError("protocol_error", "a name of a listing cannot be read", { cause });
    }
  });
}
