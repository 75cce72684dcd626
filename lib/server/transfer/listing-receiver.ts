import * as z from "zod";
import { FdsError } from "../../protocol/errors.ts";
import type { Frame } from "../../protocol/frame.ts";
import { type ListRequest, ZSTD } from "../../protocol/messages.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { FlowControl, StreamFlowControl } from "./flow-control.ts";
import { broken } from "./incoming-attempt.ts";
import { IncomingFrames } from "./incoming-frames.ts";
import type {
  ClientLink,
  IncomingStream,
  StreamCommand,
  StreamMessage,
} from "./incoming-stream.ts";

/** How long the client may be silent, in ms, before it is given up. */
const ANSWER_WITHIN_MS = 10_000;
/** Most bytes of a listing: more than the longest names need. */
const MAX_LISTING_BYTES = 8 * 1024 * 1024;
/** How often a damaged frame is requested again. */
const MAX_RESENDS = 3;

/** A name in a client's folder. */
const Entry = z.object({
  name: z.string().min(1).max(4096),
  type: z.enum(["file", "folder"]),
  size: z.int().min(0).nullable(),
  mtime_ms: z.number().min(-8.64e15).max(8.64e15),
});
export type Entry = z.infer<typeof Entry>;

/** A page of a folder's names. */
export interface Listing {
  entries: Entry[];
  /** True: more names follow. */
  more: boolean;
  /** True: the folder has more names than the client read. */
  truncated: boolean;
}

export interface ListingReceiverOptions {
  /** Number of this listing on its connection. */
  stream: number;
  /** Most bytes in a frame, as agreed with the client. */
  chunkSize: number;
  link: ClientLink;
  credit: FlowControl;
  metrics: Metrics;
}

/** What to list: a page of a folder, or of the roots where there is no path. */
export type ListingOrder = Pick<ListRequest, "path" | "after" | "limit">;

/** Receives one listing from a client. */
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
      // It has few bytes.
      knownRate: null,
      onGrant: (max_offset) => this.#tell({ type: "credit", max_offset }),
    });
    this.#flow.endsAt(MAX_LISTING_BYTES);
    this.#timer = setTimeout(() => {
      const message = `The client gave no answer within ${ANSWER_WITHIN_MS / 1000} s`;
      this.#end(new FdsError("client_timeout", message));
    }, ANSWER_WITHIN_MS);
    // Only the caller of `list` needs the error.
    this.#listing.promise.catch(() => undefined);
  }

  get ended(): Promise<unknown> {
    return this.#listing.promise.then(
      () => undefined,
      () => undefined,
    );
  }

  /**
   * Asks the client.
   * @throws FdsError with the client's code, `client_timeout` or `client_not_connected`
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

  /** Ends the listing, as nobody waits for it any more. */
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
        throw broken(`${message.type} is nothing to say about a listing`);
    }
  }

  onFrame(frame: Frame): boolean {
    if (this.#isOver) return false;
    const end = frame.offset + frame.rawLength;
    const { maxOffset } = this.#flow;
    if (end > maxOffset) throw broken(`a frame reaches beyond the ${maxOffset} bytes granted`);
    return this.#frames.take(frame);
  }

  giveWay(): void {
    // It never gives way: somebody waits for it, and it is short.
  }

  checkStalled(): void {
    // It has a time limit of its own.
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

  /** @param bytes undefined at the end @throws FdsError `protocol_error` */
  #decode(bytes?: Uint8Array): string {
    try {
      return this.#decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (cause) {
      throw new FdsError("protocol_error", "a listing is no UTF-8", { cause });
    }
  }

  #complete({ total_size, more, truncated }: Extract<StreamMessage, { type: "list_complete" }>) {
    // Sent before the client was asked for a frame again; it will be repeated.
    if (this.#frames.resending) return;
    if (total_size !== this.#frames.arrived) {
      throw broken(`list_complete says ${total_size} bytes, ${this.#frames.arrived} came`);
    }
    this.#finish({ more, truncated }).catch((error: unknown) => this.broke(error));
  }

  async #finish(page: Omit<Listing, "entries">): Promise<void> {
    await this.#frames.settled();
    if (this.#isOver || this.#frames.resending) return;
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
 * Checks that the client keeps to the request: names of one folder in order, after the previous page. So
 * reading page after page comes to an end.
 * @throws FdsError `protocol_error`
 */
function checkEntries(entries: Entry[], { path, after = "", limit }: ListingOrder): void {
  if (entries.length > limit) throw broken(`a listing has ${entries.length} names`);
  let last = Buffer.from(after);
  for (const { name } of entries) {
    const isName = path === undefined || !(name.includes("/") || name === "." || name === "..");
    if (!isName || name.includes("\0")) throw broken(`a listing has ${JSON.stringify(name)}`);
    const bytes = Buffer.from(name);
    if (Buffer.compare(last, bytes) >= 0) throw broken("the names of a listing are out of order");
    last = bytes;
  }
}

/** @throws FdsError `protocol_error` for anything but a listing */
function entriesOf(text: string): Entry[] {
  const lines = text.split("\n");
  if (lines.pop() !== "") throw broken("the last line of a listing is not complete");
  return lines.map((line) => {
    try {
      return Entry.parse(JSON.parse(line));
    } catch (cause) {
      throw new FdsError("protocol_error", "a name of a listing cannot be read", { cause });
    }
  });
}
