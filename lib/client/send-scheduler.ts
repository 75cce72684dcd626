import { encodeFrame, encodeInPlace, type FrameAddress } from "../protocol/frame.ts";
import { RateMeter } from "../util/rate-meter.ts";
import type { TokenBucket } from "../util/token-bucket.ts";

/**
 * Time in ms that the bytes queued in the socket may take to send, at the measured rate of the link. This
 * keeps the delay of control messages short. MIN_QUEUED and MAX_QUEUED bound the number of these bytes.
 */
const MAX_QUEUED_MS = 250;
const MIN_QUEUED = 64 * 1024;
const MAX_QUEUED = 4 * 1024 * 1024;
/**
 * Time in ms that one frame may take to send, at the measured rate of the link. A frame of MIN_FRAME bytes is
 * allowed at any rate.
 */
const MAX_FRAME_MS = 100;
const MIN_FRAME = 16 * 1024;
/** Time in ms over which the link's rate is measured. */
const RATE_SPAN_MS = 1000;
/** Minimum time, in ms, and minimum number of bytes for a meaningful measurement of the link's rate. */
const MIN_MEASURED_MS = 100;
const MIN_MEASURED_BYTES = 1024 * 1024;
/** How often, in ms, the socket is polled for free room, because it has no drain event. */
const POLL_MS = 2;

/** The sending half of a WebSocket. */
export interface Outgoing {
  send(data: string | Uint8Array<ArrayBuffer>): void;
  /** Bytes that were written to the WebSocket but not yet taken by the operating system. */
  readonly bufferedAmount: number;
}

/**
 * Shares one socket fairly between streams. Each stream waits in a queue and sends one frame per turn. Few
 * bytes are queued in the socket, so that control messages and new downloads are not delayed.
 */
export class SendScheduler {
  readonly #queue: (() => void)[] = [];
  #rate = new RateMeter(RATE_SPAN_MS);
  /**
   * Link rates in bytes a second: at the last frame sent, and before the last pause, in which no stream had
   * anything to send. Null if unknown.
   */
  #latestRate: number | null = null;
  #rateBeforePause: number | null = null;
  /**
   * Time in ms at which the first frame after the last pause in sending was sent, and the number of bytes
   * sent before this pause.
   */
  #resumedAt = Infinity;
  #sentBeforePause = 0;
  #polling = false;
  #sent = 0;
  #drained = 0;
  #closed = false;

  /** @param limit on the bytes a second of all frames that the client sends, over all its connections */
  constructor(
    private readonly socket: Outgoing,
    private readonly limit: TokenBucket,
  ) {}

  /**
   * Returns the most bytes that the next frame should have. Slow links get smaller frames.
   * @param maxChunk upper bound in bytes
   */
  frameSize(maxChunk: number): number {
    const rate = this.#bytesPerSecond() ?? Infinity;
    const frameBytes = Math.max(MIN_FRAME, (rate * MAX_FRAME_MS) / 1000);
    return Math.floor(Math.min(maxChunk, frameBytes, this.limit.burst));
  }

  /**
   * Waits until it is the caller's turn and the socket has room. Resolves at once after {@link
   * SendScheduler.close}.
   */
  waitForTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#queue.push(resolve);
      this.#serve();
    });
  }

  /**
   * Sends a frame. To be called once per turn, as soon as {@link SendScheduler.waitForTurn} has resolved.
   * @param bytes with room for a frame header before them in their buffer. The socket copies the bytes, so
   *   the caller may reuse the buffer afterwards.
   * @param packed the same bytes compressed, to be sent instead; null to send the bytes uncompressed
   */
  send(
    address: FrameAddress,
    bytes: Uint8Array<ArrayBuffer>,
    packed: Uint8Array | null = null,
  ): void {
    this.#resumedAt = Math.min(this.#resumedAt, performance.now());
    const frame = packed ? encodeFrame(address, bytes, packed) : encodeInPlace(address, bytes);
    this.socket.send(frame);
    this.#sent += frame.length;
    this.limit.take(frame.length);
    this.#measure();
    this.#latestRate = this.#bytesPerSecond();
  }

  /**
   * Begins a pause, because no stream has anything to send. The pause does not lower the measured rate of the
   * link.
   */
  beginPause(): void {
    if (this.#sent - this.#sentBeforePause >= MIN_MEASURED_BYTES)
      this.#rateBeforePause = this.#latestRate;
    this.#rate = new RateMeter(RATE_SPAN_MS);
    this.#resumedAt = Infinity;
    this.#sentBeforePause = this.#sent;
  }

  /** Ends all pending waits for a turn. */
  close(): void {
    this.#closed = true;
    for (const resolve of this.#queue.splice(0)) resolve();
  }

  #serve(): void {
    if (this.#polling) return;
    const first = this.#closed || this.#checkRoom() ? this.#queue.shift() : undefined;
    if (first) {
      first();
      // The next stream gets its turn after the current stream has sent its frame.
      if (this.#queue.length > 0) queueMicrotask(() => this.#serve());
      return;
    }
    if (this.#queue.length === 0) return;
    this.#polling = true;
    setTimeout(
      () => {
        this.#polling = false;
        this.#serve();
      },
      Math.max(POLL_MS, this.limit.msUntil(1)),
    );
  }

  #checkRoom(): boolean {
    this.#measure();
    // The measured bytes are divided by the full span, even if the measurement began later. The first bytes
    // may only have moved into the kernel's buffer, and would look like a high rate.
    const rate = this.#rate.bytesPerSecond(RATE_SPAN_MS) ?? 0;
    const queueBytes = (rate * MAX_QUEUED_MS) / 1000;
    const maxQueued = Math.min(MAX_QUEUED, Math.max(MIN_QUEUED, queueBytes));
    return this.socket.bufferedAmount < maxQueued && this.limit.available > 0;
  }

  /** Measures the link's rate anew, from the bytes that have left the socket since the last call. */
  #measure(): void {
    const drained = this.#sent - Math.min(this.#sent, this.socket.bufferedAmount);
    this.#rate.add(drained - this.#drained);
    this.#drained = drained;
  }

  /**
   * Returns the link's rate in bytes a second; null if unknown. Just after a pause in which no stream was
   * sending, returns the rate from before the pause.
   */
  #bytesPerSecond(): number | null {
    const isNew = performance.now() - this.#resumedAt < MIN_MEASURED_MS;
    return (isNew ? this.#rateBeforePause : null) ?? this.#rate.bytesPerSecond();
  }
}
