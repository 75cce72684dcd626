import type { Socket } from "node:net";
import type { Random } from "../random.ts";
import type { Conditions, Direction } from "./conditions.ts";
import type { Traps } from "./traps.ts";

/** With a limit on the rate, bytes are under way in pieces of this many ms. */
const PIECE_MS = 5;
/** A packet: no piece is smaller. */
const MIN_PIECE = 1460;
/** What waits before a narrow link, in ms of its rate; the sender keeps the rest. */
const BUFFER_MS = 20;

/** How a connection ends: closed in order, or reset as by a router that forgot it. */
export type Cut = "fin" | "rst";

/** Bytes, or the end, and when they are there: ms, monotonic. */
interface Piece {
  what: Buffer | Cut;
  due: number;
}

export interface LaneOptions {
  direction: Direction;
  from: Socket;
  to: Socket;
  /** They may change at any time. */
  conditions: Conditions;
  random: Random;
  traps: Traps;
  /** Changes what comes in before anything is done with it. */
  rewrite: (bytes: Buffer) => Buffer[];
  /** Called with the number of bytes that came in. */
  onArrived: (bytes: number) => void;
  /** Whether the whole network is held in this direction. */
  isHeld: () => boolean;
  /** The end has passed. */
  onDone: () => void;
}

/** One direction of one connection: what comes in goes out in order, each piece when it is due. */
export class Lane {
  readonly #queue: Piece[] = [];
  /** When the link has taken in all that came, and when the last of it is due. */
  #freeAt = 0;
  #lastDue = 0;
  #held = false;
  /** The other side takes no more for now. */
  #full = false;
  #ended = false;
  #cut = false;
  /** Until the next piece is due, until the link has room, until the next turn. */
  #dueTimer: Timer | undefined;
  #roomTimer: Timer | undefined;
  #turn: NodeJS.Immediate | undefined;

  constructor(private readonly options: LaneOptions) {
    const { from, to } = options;
    from.on("data", (bytes: Buffer) => this.#take(bytes));
    from.on("end", () => this.#end("fin"));
    // However this side closed, other than by its end, the other side sees a reset.
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

  /** What is under way goes nowhere, and neither does what still comes. */
  cut(): void {
    this.#cut = true;
    this.#queue.length = 0;
    this.#stopWaiting();
    this.options.from.resume();
  }

  /** Hands on what is due; to be called when something changed that it may have waited for. */
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

  /** @returns whether the rest has to wait for the next turn */
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

  /** Takes in only what the link takes, so that the sender feels how narrow it is. */
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
