import { encodeFrame, encodeInPlace, type FrameAddress } from "../protocol/frame.ts";
import { RateMeter } from "../util/rate-meter.ts";
import type { TokenBucket } from "../util/token-bucket.ts";

/** The socket may hold what the link carries in this time, so that a control message is not stuck. */
const MAX_QUEUED_MS = 250;
const MIN_QUEUED = 64 * 1024;
const MAX_QUEUED = 4 * 1024 * 1024;
/** A frame has no more bytes than the link carries in this time, in ms. */
const MAX_FRAME_MS = 100;
const MIN_FRAME = 16 * 1024;
/** Rates are measured over this long, in ms. */
const RATE_SPAN_MS = 1000;
/** A rate measured over less time, in ms, or fewer bytes says nothing about the link. */
const MIN_MEASURED_MS = 100;
const MIN_MEASURED = 1024 * 1024;
/** The socket tells of no drain, so it is looked at this often, in ms. */
const POLL_MS = 2;

/** The socket as it is written to. */
export interface Outgoing {
  send(data: string | Uint8Array<ArrayBuffer>): void;
  /** Bytes handed over that the system has not taken yet. */
  readonly bufferedAmount: number;
}

/**
 * Fair turns at one socket: whoever has something to send waits in line for a turn and sends one
 * frame. Little is kept in the socket, so that a cancel or a new download gets through at once.
 */
export class SendScheduler {
  readonly #line: (() => void)[] = [];
  #rate = new RateMeter(RATE_SPAN_MS);
  /** What was measured when the last frame was sent, and before a rest, in bytes a second. */
  #latestRate: number | null = null;
  #formerRate: number | null = null;
  /** When the first frame since then was sent, and how many bytes had been sent before. */
  #begunAt = Infinity;
  #sentBefore = 0;
  #polling = false;
  #sent = 0;
  #drained = 0;
  #closed = false;

  /** @param limit of all that the client sends */
  constructor(
    private readonly socket: Outgoing,
    private readonly limit: TokenBucket,
  ) {}

  /** The most bytes that the next frame should have: fewer on a slow link. */
  frameSize(maxChunk: number): number {
    const rate = this.#bytesPerSecond() ?? Infinity;
    const carried = Math.max(MIN_FRAME, (rate * MAX_FRAME_MS) / 1000);
    return Math.floor(Math.min(maxChunk, carried, this.limit.burst));
  }

  /** Resolves when it is the caller's turn and the socket has room; at once when it is closed. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#line.push(resolve);
      this.#serve();
    });
  }

  /**
   * Sends a frame; to be called once after each turn, and at once.
   * @param bytes of the file, with room for a header before them in their buffer; the socket copies
   *   what it is given, so they are the caller's again when this returns
   * @param packed the same bytes compressed, to be sent in their place
   */
  send(
    address: FrameAddress,
    bytes: Uint8Array<ArrayBuffer>,
    packed: Uint8Array | null = null,
  ): void {
    this.#begunAt = Math.min(this.#begunAt, performance.now());
    const frame = packed ? encodeFrame(address, bytes, packed) : encodeInPlace(address, bytes);
    this.socket.send(frame);
    this.#sent += frame.length;
    this.limit.take(frame.length);
    this.#measure();
    this.#latestRate = this.#bytesPerSecond();
  }

  /** Nobody sends any more: the time until somebody does is no part of the rate. */
  rest(): void {
    if (this.#sent - this.#sentBefore >= MIN_MEASURED) this.#formerRate = this.#latestRate;
    this.#rate = new RateMeter(RATE_SPAN_MS);
    this.#begunAt = Infinity;
    this.#sentBefore = this.#sent;
  }

  /** Lets everybody who waits go. */
  close(): void {
    this.#closed = true;
    for (const resolve of this.#line.splice(0)) resolve();
  }

  #serve(): void {
    if (this.#polling) return;
    const first = this.#closed || this.#hasRoom() ? this.#line.shift() : undefined;
    if (first) {
      first();
      // The next one has its turn after the first has sent its frame.
      if (this.#line.length > 0) queueMicrotask(() => this.#serve());
      return;
    }
    if (this.#line.length === 0) return;
    this.#polling = true;
    setTimeout(
      () => {
        this.#polling = false;
        this.#serve();
      },
      Math.max(POLL_MS, this.limit.msUntil(1)),
    );
  }

  #hasRoom(): boolean {
    this.#measure();
    // What the system took at once, in the first moments, it may only have put into its own buffer.
    const rate = this.#rate.bytesPerSecond(RATE_SPAN_MS) ?? 0;
    const carried = (rate * MAX_QUEUED_MS) / 1000;
    const limit = Math.min(MAX_QUEUED, Math.max(MIN_QUEUED, carried));
    return this.socket.bufferedAmount < limit && this.limit.available > 0;
  }

  /** Measures the rate: counts the bytes that have left the socket since the last look. */
  #measure(): void {
    const drained = this.#sent - Math.min(this.#sent, this.socket.bufferedAmount);
    this.#rate.add(drained - this.#drained);
    this.#drained = drained;
  }

  /** What the link carries, as far as it is known. */
  #bytesPerSecond(): number | null {
    const isNew = performance.now() - this.#begunAt < MIN_MEASURED_MS;
    return (isNew ? this.#formerRate : null) ?? this.#rate.bytesPerSecond();
  }
}
