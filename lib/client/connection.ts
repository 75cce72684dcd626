import type { WebSocket } from "ws";
import { codeOfClose, type ErrorCode, FdsError } from "../protocol/errors.ts";
import {
  type ClientMessage,
  DEAD_AFTER_MS,
  PING_INTERVAL_MS,
  parseServerMessage,
  type ServerMessage,
} from "../protocol/messages.ts";
import { RateLimiter } from "../util/rate-limiter.ts";
import { Agent, type AgentOptions } from "./agent.ts";
import { codeOfSocketError, describeAnswer, dial, type DialOptions } from "./dial.ts";
import { introductionOf, type IntroductionOptions } from "./introduction.ts";

/** How long, in ms, the server may take to accept the connection and the registration. */
const CONNECT_WITHIN_MS = 20_000;
/** How often, in ms, a connection is checked for timeouts and for a ping that is due. */
const KEEP_ALIVE_INTERVAL_MS = 5_000;
/**
 * Rate limit of messages from the server: a burst of 20,000, then one message every 0.1 ms. Even on the
 * fastest link, the server needs far fewer messages to let the client go on sending.
 */
const MESSAGE_RATE = { burst: 20_000, everyMs: 0.1 };
/**
 * Maximum number of bytes that may wait in the socket before the server counts as not reading. Only control
 * messages can add up to this, because frames are not sent while the socket is full.
 */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;

export interface ConnectionOptions extends AgentOptions, DialOptions, IntroductionOptions {
  /**
   * Called when the server has accepted the registration.
   * @param newKeyTaken whether the server has also accepted the client's new key, in place of the old one
   */
  onRegistered: (newKeyTaken: boolean, serverVersion: string) => void;
}

/** How and why a connection ended. */
export interface Ending {
  /** The reason, as one line for the log. */
  reason: string;
  /**
   * The error code of the server's close frame, or of a violation of the protocol; undefined if there was
   * neither.
   */
  code: ErrorCode | undefined;
  /** Whether the server had accepted the registration. */
  registered: boolean;
  /** Whether the connection delivered a whole file, set or listing, or a large part of a file or set. */
  hasDelivered: boolean;
  /** Duration of the connection in ms, from dialling to its end. */
  durationMs: number;
}

/**
 * One connection to the server. It dials, registers, serves requests, and closes when the server stops
 * responding.
 */
export class Connection {
  readonly #socket: WebSocket;
  readonly #agent: Agent;
  readonly #ending = Promise.withResolvers<Ending>();
  readonly #timer: Timer;
  readonly #messageLimiter = new RateLimiter(MESSAGE_RATE);
  #hasEnded = false;
  #registered = false;
  // These times are monotonic, in ms, so that setting the system clock cannot end the connection.
  readonly #dialledAt = performance.now();
  #heardAt = performance.now();
  #pingedAt = performance.now();

  /** Begins to connect. @throws Error when the runtime refuses the options */
  constructor(private readonly options: ConnectionOptions) {
    this.#socket = dial(options);
    this.#agent = new Agent(this.#socket, options);
    this.#socket
      .on("open", () => this.#register())
      .on("message", (data, isBinary) => this.#onMessage(data, isBinary))
      .on("ping", () => this.#noteHeard())
      .on("pong", () => this.#noteHeard())
      .on("unexpected-response", (_, answer) => this.#drop(describeAnswer(answer)))
      .on("error", (error) => this.#onError(error))
      .on("close", (code, reason) =>
        this.#end(reason.toString() || describeClose(code), codeOfClose(code)),
      );
    this.#timer = setInterval(() => this.#keepAlive(), KEEP_ALIVE_INTERVAL_MS);
  }

  /** Whether the connection is open or being opened. False once it has ended. */
  get isAlive(): boolean {
    return !this.#hasEnded;
  }

  /** Resolves when the connection has ended and all files are closed. */
  get ended(): Promise<Ending> {
    return this.#ending.promise;
  }

  /** Closes the connection because the client stops. */
  close(): void {
    this.#socket.close(1000, "the client stops");
    this.#end("the client stops");
  }

  #register(): void {
    this.#noteHeard();
    const register: ClientMessage = { type: "register", ...introductionOf(this.options) };
    this.#socket.send(JSON.stringify(register));
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    this.#noteHeard();
    if (this.#hasEnded) return;
    if (this.#socket.bufferedAmount > MAX_UNREAD_BYTES) {
      return this.#drop("the server asks, and does not read the answers");
    }
    try {
      if (isBinary) {
        throw new FdsError("protocol_error", "the server sent a frame, it may only send text");
      }
      if (this.#messageLimiter.take("") > 0) {
        throw new FdsError("protocol_error", "the server sends more messages than a file takes");
      }
      this.#handle(parseServerMessage(data.toString()));
    } catch (cause) {
      const error =
        cause instanceof FdsError
          ? cause
          : new FdsError("internal_error", String(cause), { cause });
      this.#socket.close(error.close, error.code);
      // Stops reading, because messages after a violation of the protocol are not handled.
      this.#socket.pause();
      this.#end(`protocol broken: ${error.message}`, error.code);
    }
  }

  #handle(message: ServerMessage): void {
    if (message.type === "registered") {
      if (this.#registered) throw new FdsError("protocol_error", "registered came twice");
      this.#registered = true;
      this.options.onRegistered(message.new_key_taken ?? false, message.version);
    } else if (message.type === "probed") {
      throw new FdsError("protocol_error", "probed came, and was not asked for");
    } else if (this.#registered) {
      this.#agent.handle(message);
    } else {
      throw new FdsError("protocol_error", "registered must be the first message");
    }
  }

  #noteHeard(): void {
    this.#heardAt = performance.now();
  }

  #keepAlive(): void {
    const now = performance.now();
    if (!this.#registered && now - this.#dialledAt > CONNECT_WITHIN_MS) {
      this.#drop(`no answer in ${CONNECT_WITHIN_MS / 1000} s`);
    } else if (now - this.#heardAt > DEAD_AFTER_MS) {
      this.#drop(`nothing was heard for ${DEAD_AFTER_MS / 1000} s`);
    } else if (this.#registered && now - this.#pingedAt >= PING_INTERVAL_MS) {
      this.#pingedAt = now;
      this.#socket.ping();
    }
  }

  #onError(error: Error & { code?: string }): void {
    const code = codeOfSocketError(error);
    this.#end(`${code ? "protocol broken: " : ""}${error.message || "cannot connect"}`, code);
  }

  /** Ends the connection without a close frame, because the server is not expected to read one. */
  #drop(reason: string): void {
    this.#socket.terminate();
    this.#end(reason);
  }

  #end(reason: string, code?: ErrorCode): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearInterval(this.#timer);
    const durationMs = performance.now() - this.#dialledAt;
    const ending = () => ({
      reason,
      code,
      registered: this.#registered,
      hasDelivered: this.#agent.hasDelivered,
      durationMs,
    });
    void this.#agent.stop().then(() => this.#ending.resolve(ending()));
  }
}

/**
 * Describes a WebSocket close code that came without a reason.
 * @param code 1006 if the connection ended without a close frame (RFC 6455, 7.1.5)
 */
export function describeClose(code: number): string {
  return code === 1006 ? "the connection broke off" : `closed with code ${code}`;
}
