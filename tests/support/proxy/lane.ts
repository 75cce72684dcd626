import type { Socket } from "node:net";
import type { Random } from "../random.ts";
import type { Conditions, Direction } from "./conditions.ts";
import type { Traps } from "./traps.ts";

/** With a limited rate, bytes are forwarded in pieces of at most this duration, in ms. */
const PIECE_MS = 5;
/** Minimum size of a piece at a limited rate, in bytes: one TCP segment. */
const MIN_PIECE = 1460;
/**
 * Buffer in front of a slow link, as a duration at its rate, in ms. When it is full, the sender has to wait.
 */
const BUFFER_MS = 20;

/** How a connection ends: by a normal close (FIN) or by a reset (RST). */
export type Cut = "fin" | "rst";

/** Bytes or the end of a connection, with the time of delivery in ms on the monotonic clock. */
interface Piece {
  what: Buffer | Cut;
  due: number;
}

export interface LaneOptions {
  direction: Direction;
  from: Socket;
  to: Socket;
  /** The properties of the simulated network, which may change at any time. */
  conditions: Conditions;
  random: Random;
  traps: Traps;
  /** Replaces received bytes before they are delayed or counted as forwarded. */
  rewrite: (bytes: Buffer) => Buffer[];
  /** Called with the number of bytes received. */
  onArrived: (bytes: number) => void;
  /** Reports whether the proxy holds back all bytes of this direction. */
  isHeld: () => boolean;
  /** Called after the end of the connection was forwarded in this direction. */
  onDone: () => void;
}

/** One direction of one connection. It forwards received bytes in order, each piece at its delivery time. */
export class Lane {
  readonly #queue: Piece[] = [];
  /** When the simulated link is free for further bytes, in ms on the monotonic clock. */
  #freeAt = 0;
  /** Delivery time of the last queued byte, in ms on the monotonic clock. */
  #lastDue = 0;
  #held = false;
  /** Whether the receiving socket's buffer is full. */
  #full = false;
  #ended = false;
  #cut = false;
  /** Timers for the next delivery, for room on the link, and for the next round of the event loop. */
  #dueTimer: Timer | undefined;
  #roomTimer: Timer | undefined;
  #turn: NodeJS.Immediate | undefined;

  constructor(private readonly options: LaneOptions) {
    const { from, to } = options;
    from.on("data", (bytes: Buffer) => this.#take(bytes));
    from.on("end", () => this.#end("fin"));
    // If the sender closed without a FIN, the receiver gets a reset.
    from.on("close", () => this.#end("rst"));
    const goOn = () => {
      this.#full = false;
      this.deliver();
    };
    to.on("drain", goOn).on("close", goOn);
  }

  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.deliver();
  }

  /** Drops all bytes under way, and all that arrive later. */
  cut(): void {
    this.#cut = true;
    this.#queue.length = 0;
    this.#stopWaiting();
    this.options.from.resume();
  }

  /**
   * Forwards the pieces whose time has come. Called after each change that could allow more to be forwarded.
   */
  deliver(): void {
    this.#stopWaiting();
    for (let head = this.#queue[0]; head && !this.#isStuck(); head = this.#queue[0]) {
      const wait = head.due - performance.now();
      if (wait > 0) {
        this.#dueTimer = setTimeout(() => this.deliver(), wait);
        break;
      }
      if (typeof head.what === "string") this.#handOnEnd(head.what);
      else if (this.#handOn(head, head.what)) break;
    }
    this.#mindInflow();
  }

  #take(bytes: Buffer): void {
    this.options.onArrived(bytes.length);
    if (this.#cut) return;
    for (const part of this.options.rewrite(bytes)) this.#enqueue(part);
    this.deliver();
  }

  #enqueue(bytes: Buffer): void {
    const { bytesPerSecond, delay, jitter } = this.options.conditions;
    const most = Math.max(MIN_PIECE, (bytesPerSecond * PIECE_MS) / 1000);
    for (let rest = bytes; rest.length > 0;) {
      const piece = rest.subarray(0, most);
      rest = rest.subarray(piece.length);
      const began = Math.max(performance.now(), this.#freeAt);
      this.#freeAt = began + (piece.length / bytesPerSecond) * 1000;
      const due = this.#freeAt + delay + (jitter && jitter * this.options.random.float());
      this.#lastDue = Math.max(this.#lastDue, due);
      this.#queue.push({ what: piece, due: this.#lastDue });
    }
  }

  #end(how: Cut): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#cut) return this.options.onDone();
    const now = performance.now() + this.options.conditions.delay;
    this.#queue.push({ what: how, due: Math.max(this.#lastDue, now) });
    this.deliver();
  }

  #handOnEnd(how: Cut): void {
    const { to, onDone } = this.options;
    this.#queue.shift();
    if (how === "rst") to.resetAndDestroy();
    else to.end();
    onDone();
  }

  /** Forwards up to a whole piece. @returns whether the rest waits for the next round of the event loop */
  #handOn(head: Piece, bytes: Buffer): boolean {
    const { direction, traps, to, conditions } = this.options;
    traps.spring(direction, bytes);
    if (this.#isStuck()) return true;
    const piece = bytes.subarray(0, Math.min(conditions.pieceBytes, traps.free(direction)));
    if (piece.length < bytes.length) head.what = bytes.subarray(piece.length);
    else this.#queue.shift();
    traps.carried[direction] += piece.length;
    if (!to.destroyed && !to.write(piece)) this.#full = true;
    if (conditions.pieceBytes === Infinity) return false;
    this.#turn = setImmediate(() => this.deliver());
    return true;
  }

  #isStuck(): boolean {
    return this.#held || this.#full || this.#cut || this.options.isHeld();
  }

  /** Pauses or resumes reading, so that the sender is slowed to the rate of the link. */
  #mindInflow(): void {
    const { from } = this.options;
    if (this.#cut) return;
    const ahead = this.#freeAt - performance.now() - BUFFER_MS;
    const isBehind = this.#queue.length > 0 && (this.#isStuck() || this.#turn !== undefined);
    if (!isBehind && ahead <= 0) {
      from.resume();
      return;
    }
    from.pause();
    if (!isBehind) this.#roomTimer = setTimeout(() => this.deliver(), ahead);
  }

  #stopWaiting(): void {
    clearTimeout(this.#dueTimer);
    clearTimeout(this.#roomTimer);
    clearImmediate(this.#turn);
    this.#turn = undefined;
  }
}
