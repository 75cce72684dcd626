import { encodeFrame, encodeInPlace, type FrameAddress } from "../protocol/frame.ts";
import { RateMeter } from "../util/rate-meter.ts";
import type { TokenBucket } from "../util/token-bucket.ts";

/**
 * The socket holds at most what the link carries in this time, in ms, so that control messages are not
 * stuck.
 */
const MAX_QUEUED_MS = 250;
const MIN_QUEUED = 64 * 1024;
const MAX_QUEUED = 4 * 1024 * 1024;
/** A frame has at most the bytes that the link carries in this time, in ms. */
const MAX_FRAME_MS = 100;
const MIN_FRAME = 16 * 1024;
/** Time over which rates are measured, in ms. */
const RATE_SPAN_MS = 1000;
/** A rate measured over less time, in ms, or fewer bytes says nothing about the link. */
const MIN_MEASURED_MS = 100;
const MIN_MEASURED = 1024 * 1024;
/** How often the socket is polled, in ms, as it has no event for being drained. */
const POLL_MS = 2;

/** The writing side of a socket. */
export interface Outgoing {
  send(data: string | Uint8Array<ArrayBuffer>): void;
  /** Bytes that were written but not yet taken by the system. */
  readonly bufferedAmount: number;
}

/**
 * Fair turns at one socket: each sender waits in line and sends one frame per turn. Little is kept in the
 * socket, so that a cancel or a new download gets through at once.
 */
export class SendScheduler {
  readonly #line: (() => void)[] = [];
  #rate = new RateMeter(RATE_SPAN_MS);
  /** Rates measured when the last frame was sent, and before the last rest, in bytes a second. */
  #latestRate: number | null = null;
  #formerRate: number | null = null;
  /** When the first frame since the last rest was sent, and how many bytes had been sent before it. */
  #begunAt = Infinity;
  #sentBefore = 0;
  #polling = false;
  #sent = 0;
  #drained = 0;
  #closed = false;

  /** @param limit of everything that the client sends */
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

  /** Resolves when it is the caller's turn and the socket has room; at once where it is closed. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#line.push(resolve);
      this.#serve();
    });
  }

  /**
   * Sends a frame. Call it once per turn, and at once.
   * @param bytes of the file, with room for a header before them in their buffer. The socket copies them,
   *   so the caller may reuse them afterwards.
   * @param packed the same bytes compressed, to be sent instead
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

  /** Nobody has anything to send: the pause does not count for the rate. */
  rest(): void {
    if (this.#sent - this.#sentBefore >= MIN_MEASURED) this.#formerRate = this.#latestRate;
    this.#rate = new RateMeter(RATE_SPAN_MS);
    this.#begunAt = Infinity;
    this.#sentBefore = this.#sent;
  }

  /** Releases everybody who waits. */
  close(): void {
    this.#closed = true;
    for (const resolve of this.#line.splice(0)) resolve();
  }

  #serve(): void {
    if (this.#polling) return;
    const first = this.#closed || this.#hasRoom() ? this.#line.shift() : undefined;
    if (first) {
      first();
      // The next one has its turn once this one has sent its frame.
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
    // In the first moments, the system may only have moved bytes into its own buffer.
    const rate = this.#rate.bytesPerSecond(RATE_SPAN_MS) ?? 0;
    const carried = (rate * MAX_QUEUED_MS) / 1000;
    const limit = Math.min(MAX_QUEUED, Math.max(MIN_QUEUED, carried));
    return this.socket.bufferedAmount < limit && this.limit.available > 0;
  }

  /** Measures the rate: counts the bytes that have left the socket since the last call. */
  #measure(): void {
    const drained = this.#sent - Math.min(this.#sent, this.socket.bufferedAmount);
    this.#rate.add(drained - this.#drained);
    this.#drained = drained;
  }

  /** The rate of the link, as far as it is known. */
  #bytesPerSecond(): number | null {
    const isNew = performance.now() - this.#begunAt < MIN_MEASURED_MS;
    return (isNew ? this.#formerRate : null) ?? this.#rate.bytesPerSecond();
  }
}
