import { TokenBucket } from "../../util/token-bucket.ts";
import { LinkWindow } from "./link-window.ts";

/*
 * How much a client may send ahead. Bytes that are granted and not yet written bound the server's memory,
 * whatever clients do: for each stream by a window that follows the link, and for all streams by one budget
 * (RECEIVE_BUDGET). Rate limits work by it too, as bytes without a grant are not sent.
 */

const KiB = 1024;

/** Smallest share of the budget for a stream, in bytes; less would make tiny frames. */
const MIN_SHARE = 64 * KiB;

export interface StreamFlowOptions {
  /** Offset at which the stream begins. */
  offset: number;
  /** Bytes that may be written and not flushed: what a crash costs besides the window. */
  maxUnflushed: number;
  /** Shortest round trip of the connection so far, in ms. */
  roundTripMs: () => number;
  /** Last measured rate of the client's link, in bytes a second; null: not known. */
  knownRate?: number | null;
  /** Rate limit in bytes a second; null: none. */
  rateLimit: number | null;
  /** Called when the client may send more: everything below `maxOffset`. */
  onGrant: (maxOffset: number) => void;
  /** ms, monotonic. */
  now?: () => number;
}

/** The budget shared by all incoming streams. */
export class FlowControl {
  #outstanding = 0;
  #streams = 0;
  /** Streams that wanted more than was left, longest waiting first. */
  readonly #waiting = new Set<StreamFlowControl>();

  /** @param budget most bytes that may be granted and not yet written, over all streams */
  constructor(readonly budget: number) {}

  /** Bytes that are granted and not yet written. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** Whether other streams wait for credit. */
  othersWait(stream: StreamFlowControl): boolean {
    return this.#waiting.size > (this.#waiting.has(stream) ? 1 : 0);
  }

  /** Most bytes that one stream may hold now. */
  get share(): number {
    const fair = Math.floor(this.budget / Math.max(1, this.#streams));
    return Math.min(this.budget, Math.max(MIN_SHARE, fair));
  }

  /** Most bytes for one stream among others, until it has shown that its link needs more. */
  get modestShare(): number {
    const { share } = this;
    return this.#streams > 1 ? Math.max(MIN_SHARE, Math.floor(share / 4)) : share;
  }

  /**
   * Bytes that a stream may get at its start, if its link is known to need them: most of what is left of a
   * quarter of the budget, so that all streams that may start at the same time get something.
   */
  get firstShare(): number {
    const left = this.budget / 4 - this.#outstanding;
    return Math.max(0, Math.floor((left * 3) / 4));
  }

  open(options: StreamFlowOptions): StreamFlowControl {
    this.#streams++;
    return new StreamFlowControl(this, options);
  }

  /**
   * @param least fewer bytes are not worth a message; rather than that, the stream waits in line
   * @returns how many of the wanted bytes are granted
   */
  take(stream: StreamFlowControl, wanted: number, least: number): number {
    const room = this.budget - this.#outstanding;
    const granted = room < least ? 0 : Math.min(wanted, room);
    this.#outstanding += granted;
    this.#waiting.delete(stream);
    if (granted < wanted) this.#waiting.add(stream);
    return granted;
  }

  /** The stream wants nothing now that others hold. */
  leave(stream: StreamFlowControl): void {
    this.#waiting.delete(stream);
  }

  /** Returns bytes to the budget, and grants them to streams that wait. */
  giveBack(bytes: number): void {
    this.#outstanding -= bytes;
    for (const stream of [...this.#waiting]) {
      if (this.#outstanding >= this.budget) return;
      stream.grant();
    }
  }

  close(stream: StreamFlowControl, bytes: number): void {
    this.#streams--;
    this.#waiting.delete(stream);
    this.giveBack(bytes);
  }
}

/** The credit of one incoming stream. Credit is an absolute offset, as in QUIC (RFC 9000, 4.1). */
export class StreamFlowControl {
  #written: number;
  #durable: number;
  #granted: number;
  #end = Number.MAX_SAFE_INTEGER;
  #hasBegun = false;
  readonly #link: LinkWindow;
  readonly #bucket: TokenBucket;
  #pacing: Timer | undefined;

  constructor(
    private readonly pool: FlowControl,
    private readonly options: StreamFlowOptions,
  ) {
    const { offset, rateLimit, roundTripMs, knownRate = null } = options;
    const now = options.now ?? performance.now.bind(performance);
    this.#written = offset;
    this.#durable = offset;
    this.#granted = offset;
    this.#link = new LinkWindow({ roundTripMs, knownRate, now });
    this.#bucket = new TokenBucket(rateLimit, now);
  }

  /** Measured rate of the link in bytes a second; null where a rate limit applied. */
  get rate(): number | null {
    return this.#bucket.rate === Infinity ? this.#link.rate : null;
  }

  /** Everything below this offset may be sent. */
  get maxOffset(): number {
    return this.#granted;
  }

  /** Whether other streams wait for credit that this one may hold. */
  get othersWait(): boolean {
    return this.pool.othersWait(this);
  }

  /** Bytes that may be granted and not yet written. */
  get window(): number {
    const modest = Math.min(this.#link.modest, this.pool.modestShare);
    return Math.min(Math.max(this.#link.needed, modest), this.pool.share);
  }

  /** Grants as much as window and budget allow, and tells the client where it is worth a message. */
  grant(): void {
    this.#begin();
    const { window } = this;
    // A disk that is slow to flush holds back the client, like one that is slow to write.
    const limit = Math.min(this.#written, this.#durable + this.options.maxUnflushed) + window;
    const wanted = Math.min(limit, this.#end) - this.#granted;
    const least = this.#granted + wanted >= this.#end ? 1 : window / 4;
    const paced = wanted < least ? 0 : this.#pace(wanted);
    if (paced === 0) return this.pool.leave(this);
    const granted = this.pool.take(this, paced, Math.min(paced, least));
    if (granted === 0) return;
    this.#bucket.take(granted);
    this.#granted += granted;
    this.options.onGrant(this.#granted);
  }

  /** Changes the rate limit, in bytes a second; null: none. */
  limitRate(rateLimit: number | null): void {
    this.#bucket.limit(rateLimit);
    clearTimeout(this.#pacing);
    this.#pacing = undefined;
    this.grant();
  }

  /** Sets the file's size, once it is known: nothing beyond it is granted. */
  endsAt(totalSize: number): void {
    this.#end = totalSize;
    if (this.#granted > totalSize) {
      const unused = this.#granted - Math.max(totalSize, this.#written);
      this.#granted -= unused;
      this.pool.giveBack(unused);
    }
  }

  /** The client starts again at the first byte. */
  restart(): void {
    const held = this.#granted - this.#written;
    this.#written = 0;
    this.#durable = 0;
    this.#granted = 0;
    this.pool.giveBack(held);
  }

  /** Counts bytes that came, written or not. */
  arrived(bytes: number): void {
    this.#link.arrived(bytes);
  }

  /** Counts bytes that were written: they are no longer outstanding, and the window moves on. */
  wrote(bytes: number): void {
    this.#written += bytes;
    this.#link.wrote(bytes);
    this.pool.giveBack(bytes);
    this.grant();
  }

  /** Everything below this offset is flushed. */
  flushed(durableOffset: number): void {
    this.#durable = durableOffset;
    this.grant();
  }

  close(): void {
    clearTimeout(this.#pacing);
    const held = this.#granted - this.#written;
    this.#granted = this.#written;
    this.#end = this.#written;
    this.pool.close(this, held);
  }

  /** @returns how many of the wanted bytes the rate limit allows now; the rest is granted later */
  #pace(wanted: number): number {
    const batch = Math.min(wanted, this.#bucket.burst / 2);
    const { available } = this.#bucket;
    if (available < wanted) {
      this.#pacing ??= setTimeout(() => {
        this.#pacing = undefined;
        this.grant();
      }, this.#bucket.msUntil(batch));
    }
    return available < batch ? 0 : Math.min(wanted, available);
  }

  /** Called before the first grant: a link that is known gets what it needs. */
  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#link.begin(this.pool.firstShare);
  }
}
