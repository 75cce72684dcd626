import { TokenBucket } from "../../util/token-bucket.ts";
import { LinkWindow } from "./link-window.ts";

/*
 * Flow control: how many bytes clients may send ahead. Credit is granted as bytes are written, so the
 * server's memory is bounded by the bytes granted and not yet written. For each stream, these bytes are
 * limited by a window that follows the link. For all streams together, they are limited by one budget
 * (RECEIVE_BUDGET). Rate limits work by granting credit more slowly.
 */

const KiB = 1024;

/** Smallest share of the budget for a stream, in bytes. A smaller one would lead to tiny frames. */
const MIN_SHARE = 64 * KiB;

export interface StreamFlowOptions {
  /** Offset in bytes at which the stream begins. */
  offset: number;
  /**
   * Maximum number of bytes written but not flushed. A crash loses at most these bytes and the bytes on their
   * way, which are at most one window.
   */
  maxUnflushed: number;
  /** Returns the shortest of the connection's latest round trips, in ms; 0: not known. */
  roundTripMs: () => number;
  /** Last measured rate of the client's link, in bytes a second; null: not known. */
  knownRate?: number | null;
  /** Rate limit, in bytes a second; null: no limit. */
  rateLimit: number | null;
  /** Called when the client may send more bytes, up to the offset `maxOffset`. */
  onGrant: (maxOffset: number) => void;
  /** Monotonic clock, in ms. */
  now?: () => number;
}

/** The budget of credit shared by all incoming streams. */
export class FlowControl {
  #outstanding = 0;
  #streams = 0;
  /** Streams that wait because the budget had too few free bytes, longest wait first. */
  readonly #waiting = new Set<StreamFlowControl>();

  /** @param budget maximum number of bytes granted and not yet written, over all streams */
  constructor(readonly budget: number) {}

  /** Number of bytes granted to clients and not yet written, over all streams. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** Whether any stream besides `stream` is waiting for credit. */
  othersWait(stream: StreamFlowControl): boolean {
    return this.#waiting.size > (this.#waiting.has(stream) ? 1 : 0);
  }

  /**
   * Maximum number of bytes of one stream that are granted and not yet written. The more streams are open,
   * the lower it is.
   */
  get share(): number {
    const fair = Math.floor(this.budget / Math.max(1, this.#streams));
    return Math.min(this.budget, Math.max(MIN_SHARE, fair));
  }

  /**
   * Maximum number of a stream's bytes that are granted and not yet written, as long as the stream's link has
   * not shown that it needs more: the whole {@link share} if there is only one stream, otherwise a quarter of
   * it.
   */
  get modestShare(): number {
    const { share } = this;
    return this.#streams > 1 ? Math.max(MIN_SHARE, Math.floor(share / 4)) : share;
  }

  /**
   * Maximum number of bytes in the first grant to a stream whose link has a known rate. Such grants are made
   * only while less than a quarter of the budget is in use. Each one takes at most three quarters of the rest
   * of that quarter, so that some is left for streams that start at the same time.
   */
  get firstShare(): number {
    const free = this.budget / 4 - this.#outstanding;
    return Math.max(0, Math.floor((free * 3) / 4));
  }

  open(options: StreamFlowOptions): StreamFlowControl {
    this.#streams++;
    return new StreamFlowControl(this, options);
  }

  /**
   * Takes bytes from the budget for a stream.
   * @param minGrant smallest useful grant, in bytes; if fewer are free, none are granted
   * @returns how many of the wanted bytes are granted; if fewer than all, the stream waits for the others
   */
  take(stream: StreamFlowControl, wanted: number, minGrant: number): number {
    const room = this.budget - this.#outstanding;
    const granted = room < minGrant ? 0 : Math.min(wanted, room);
    this.#outstanding += granted;
    this.#waiting.delete(stream);
    if (granted < wanted) this.#waiting.add(stream);
    return granted;
  }

  /** Removes a stream from the streams that wait for the budget, because it currently wants no credit. */
  leave(stream: StreamFlowControl): void {
    this.#waiting.delete(stream);
  }

  /** Returns bytes to the budget, and grants them to waiting streams. */
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

  /**
   * Measured rate of the link, in bytes a second; null: not measured yet, or a rate limit slows the stream.
   */
  get rate(): number | null {
    return this.#bucket.rate === Infinity ? this.#link.rate : null;
  }

  /** The client may send the bytes of the stream below this offset. */
  get maxOffset(): number {
    return this.#granted;
  }

  /** Whether other streams wait for credit. This stream may hold credit that they need. */
  get othersWait(): boolean {
    return this.pool.othersWait(this);
  }

  /** Maximum number of bytes of this stream granted and not yet written. */
  get window(): number {
    const modest = Math.min(this.#link.modestWindow, this.pool.modestShare);
    return Math.min(Math.max(this.#link.neededWindow, modest), this.pool.share);
  }

  /**
   * Grants as much credit as the window, the rate limit and the budget allow. Nothing is granted if the
   * credit would be too small to be worth a message.
   */
  grant(): void {
    this.#begin();
    const { window } = this;
    // The limit grows no further when `maxUnflushed` written bytes are not flushed, so that a disk that
    // flushes slowly also slows down the client.
    const limit = Math.min(this.#written, this.#durable + this.options.maxUnflushed) + window;
    const wanted = Math.min(limit, this.#end) - this.#granted;
    const minGrant = this.#granted + wanted >= this.#end ? 1 : window / 4;
    const paced = wanted < minGrant ? 0 : this.#pace(wanted);
    if (paced === 0) return this.pool.leave(this);
    const granted = this.pool.take(this, paced, Math.min(paced, minGrant));
    if (granted === 0) return;
    this.#bucket.take(granted);
    this.#granted += granted;
    this.options.onGrant(this.#granted);
  }

  /** Changes the rate limit, in bytes a second; null: no limit. */
  limitRate(rateLimit: number | null): void {
    this.#bucket.setRate(rateLimit);
    clearTimeout(this.#pacing);
    this.#pacing = undefined;
    this.grant();
  }

  /** Sets the file's size in bytes, once known. No credit is granted beyond it. */
  setEnd(totalSize: number): void {
    this.#end = totalSize;
    if (this.#granted > totalSize) {
      const unused = this.#granted - Math.max(totalSize, this.#written);
      this.#granted -= unused;
      this.pool.giveBack(unused);
    }
  }

  /** Starts over at offset 0, because the client sends the file again from its first byte. */
  restart(): void {
    const held = this.#granted - this.#written;
    this.#written = 0;
    this.#durable = 0;
    this.#granted = 0;
    this.pool.giveBack(held);
  }

  /** Counts bytes that arrived, before they are written. */
  arrived(bytes: number): void {
    this.#link.arrived(bytes);
  }

  /** Counts bytes that were written. They return to the budget, and the client is granted new ones. */
  wrote(bytes: number): void {
    this.#written += bytes;
    this.#link.wrote(bytes);
    this.pool.giveBack(bytes);
    this.grant();
  }

  /** Records that the bytes below this offset are flushed. */
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

  /**
   * Applies the rate limit.
   * @returns how many of the wanted bytes the rate limit allows now. A timer grants the other bytes later
   */
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

  /**
   * Runs once, before the first grant. A link whose rate is already known starts with the window it needs.
   */
  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#link.begin(this.pool.firstShare);
  }
}
