import { FdsError, type Problem } from "../../protocol/errors.ts";
import { decodeFrame } from "../../protocol/frame.ts";
import {
  DEAD_AFTER_MS,
  type Introduction,
  MIN_CHUNK_SIZE,
  PING_INTERVAL_MS,
  parseClientMessage,
  type Probe,
  type Probed,
  type Register,
  type Registered,
  SERVER_FEATURES,
  type ServerMessage,
} from "../../protocol/messages.ts";
import type { Logger } from "../../util/logger.ts";
import type { ClientLink, IncomingStream } from "../transfer/incoming-stream.ts";
import { closeReason } from "./close-reason.ts";
import { MessageAllowance } from "./message-allowance.ts";
import { PresenceCheck } from "./presence-check.ts";
import type { ProbeAnswer, SessionClient } from "./registered-client.ts";
import { logRefusal } from "./refusal.ts";
import { RoundTrips } from "./round-trips.ts";
import type { Socket } from "./socket.ts";
import { Streams } from "./streams.ts";

/** Time within which a client must register, in ms. */
const REGISTER_WITHIN_MS = 10_000;
/** Limits of a connection's messages, before and after its registration. */
const UNREGISTERED_ALLOWANCE = { burst: 20, perSecond: 1 };
const REGISTERED_ALLOWANCE = { burst: 20_000, perSecond: 500 };
/** Measurements of the link to a client, see {@link ClientLink}. */
export type LinkMeasurements = Pick<ClientLink, "rate"> & { roundTripMs: number };

/** The methods that a session calls on the owner of all sessions. */
export interface SessionHost {
  /** Registers a client. @throws FdsError when the client may not register */
  register(session: Session, message: Register): Promise<void>;
  /** Answers a client that asks whether it could register. @throws FdsError when it may not */
  probe(session: Session, message: Introduction): Promise<ProbeAnswer>;
  /** Called once when a session has ended, even if no client registered on it. */
  ended(session: Session): void;
}

/**
 * One connection of a client. A session reads messages and frames, passes them to their streams, and notices
 * when the client is dead. A breach of the protocol ends the connection with a code.
 */
export class Session implements ClientLink {
  readonly id = Bun.randomUUIDv7();
  /** The client; undefined until it has registered. */
  client: SessionClient | undefined;
  lastHeardAt = Date.now();
  rate: number | null = null;
  #state: "new" | "registering" | "registered" | "ended" = "new";
  readonly #streams = new Streams();
  readonly #roundTrips = new RoundTrips(() => void this.socket.ping());
  // These times are from a monotonic clock, in ms, so that setting the system's clock ends no connection.
  readonly #openedAt = performance.now();
  #heardAt = performance.now();
  /** Limits the number of messages. Pings, pongs and short frames count as messages. */
  #allowance = new MessageAllowance(UNREGISTERED_ALLOWANCE);
  /**
   * Checks, after another connection has taken the client's id, whether the machine of this connection still
   * answers.
   */
  readonly #presence = new PresenceCheck((nonce) => void this.socket.ping(nonce));

  constructor(
    private readonly socket: Socket,
    /** The client's address; behind a proxy that is not trusted, the address of the proxy. */
    readonly remoteAddress: string,
    private readonly host: SessionHost,
    readonly logger: Logger,
    /** Called when the client has registered. */
    private readonly onRegistered: () => void = () => {},
  ) {}

  get isOpen(): boolean {
    return this.#state === "registered";
  }

  roundTripMs(): number {
    return this.#roundTrips.shortestMs;
  }

  /** Measurements of the link to the client. */
  get linkMeasurements(): LinkMeasurements {
    return { rate: this.rate, roundTripMs: this.roundTripMs() };
  }

  /** Sets measurements of the client's previous connection, used until this connection has its own. */
  startFrom({ rate, roundTripMs }: LinkMeasurements): void {
    this.rate = rate;
    this.#roundTrips.setPrevious(roundTripMs);
  }

  /** Gives a stream its number on this connection. The stream then receives the messages with that number. */
  attach<Stream extends IncomingStream>(make: (number: number) => Stream): Stream {
    return this.#streams.attach(make);
  }

  send(message: ServerMessage): void {
    if (this.#state !== "registered") return;
    // 0 means that the socket dropped this message. Client and server would no longer agree without it, so
    // the connection is ended.
    if (this.socket.sendText(JSON.stringify(message)) === 0) this.drop("it reads too slowly");
  }

  /** Tells the client that its registration succeeded. After that, requests may be sent to the client. */
  registered(client: SessionClient, answer: Pick<Registered, "version" | "new_key_taken">): void {
    if (this.#state === "ended") return;
    this.#state = "registered";
    this.client = client;
    this.#allowance = new MessageAllowance(REGISTERED_ALLOWANCE);
    this.onRegistered();
    const features = [...SERVER_FEATURES];
    this.send({ type: "registered", client_id: client.clientId, features, ...answer });
    this.#roundTrips.ping();
  }

  onText(text: string): void {
    this.#noteHeard();
    this.#guard(() => {
      this.#count();
      const message = parseClientMessage(text);
      if (message.type === "register" || message.type === "probe") return this.#introduce(message);
      this.#requireRegistered();
      this.#streams.route(message, (stream) => stream.onMessage(message));
    });
  }

  onBinary(bytes: Uint8Array): void {
    this.#noteHeard();
    this.#guard(() => {
      if (!this.client) throw new FdsError("protocol_error", "a frame came before register");
      const frame = decodeFrame(bytes, this.client.chunkSize);
      this.#requireRegistered();
      const hasNewBytes = this.#streams.route(frame, (stream) => stream.onFrame(frame)) ?? false;
      // Frames shorter than MIN_CHUNK_SIZE count as messages. For a frame that brings new bytes, the
      // uncompressed length counts, for any other frame the length on the wire.
      const length = hasNewBytes ? frame.rawLength : frame.payload.length;
      if (length < MIN_CHUNK_SIZE) this.#count();
    });
  }

  onPing(): void {
    this.#noteHeard();
    this.#guard(() => this.#count());
  }

  /** Handles a pong. @param data payload of the pong */
  onPong(data = ""): void {
    this.#noteHeard();
    this.#presence.answered(data);
    this.#guard(() => this.#count());
    this.#roundTrips.answered();
  }

  /** Called periodically: sends pings, and ends the connection if the client is silent for too long. */
  check(): void {
    if (this.#state === "ended") return;
    const now = performance.now();
    const silentMs = now - this.#heardAt;
    if (!this.client && now - this.#openedAt > REGISTER_WITHIN_MS) {
      this.end(
        new FdsError("client_timeout", `did not register in ${REGISTER_WITHIN_MS / 1000} s`),
      );
    } else if (silentMs > DEAD_AFTER_MS) {
      this.drop(`nothing was heard for ${DEAD_AFTER_MS / 1000} s`);
    } else if (this.#roundTrips.sincePing >= PING_INTERVAL_MS) {
      this.#roundTrips.ping();
    }
    for (const stream of this.#streams.values()) stream.checkStalled();
  }

  /** Closes the connection with an error's close code and reason. */
  end(error: FdsError): void {
    if (this.#state === "ended") return;
    this.socket.close(error.close, closeReason(error));
    this.closed();
  }

  /**
   * Called when another connection has taken the client's id. This session stops its streams and sends a
   * ping. It closes its connection after the answer, or after a time limit.
   * @param onAnswer called when the client answered, which shows that two machines use the id
   */
  replace(onAnswer: () => void): void {
    if (this.#state === "ended") return;
    this.closed();
    this.#presence.ask({
      onAnswer: () => {
        onAnswer();
        this.#closeReplaced("another machine uses this id");
      },
      onSilence: () => this.#closeReplaced("the client connected again"),
    });
  }

  /** Stops the session's streams. Downloads among them continue later, and their rows name the problem. */
  interrupt(problem: Problem): void {
    for (const stream of this.#streams.values()) stream.giveWay(problem);
  }

  /** Ends the connection without a close frame, because the client would not read one. */
  drop(reason: string): void {
    if (this.#state === "ended") return;
    this.logger.warn(`connection dropped: ${reason}`, { client_id: this.client?.clientId });
    this.socket.terminate();
    this.closed();
  }

  /** Called when the connection is closed, for whatever reason. */
  closed(): void {
    this.#presence.stop();
    if (this.#state === "ended") return;
    this.#state = "ended";
    for (const stream of this.#streams.values()) stream.lose();
    this.host.ended(this);
  }

  #noteHeard(): void {
    this.#heardAt = performance.now();
    this.lastHeardAt = Date.now();
  }

  /** Closes the connection with the reason why it was replaced. */
  #closeReplaced(reason: string): void {
    const error = new FdsError("replaced", reason);
    this.socket.close(error.close, closeReason(error));
  }

  /** Counts a message. @throws FdsError `rate_limited` for too many */
  #count(): void {
    if (this.#allowance.take()) return;
    throw new FdsError("rate_limited", "the client says too much that brings no file on");
  }

  /**
   * Handles the message by which a client introduces itself.
   * @throws FdsError `protocol_error` if the client has already sent such a message
   */
  #introduce(message: Register | Probe): void {
    if (this.#state !== "new") throw new FdsError("protocol_error", `${message.type} came twice`);
    this.#state = "registering";
    const done =
      message.type === "probe" ? this.#probe(message) : this.host.register(this, message);
    done.catch((error: unknown) => this.end(logRefusal(error, message, this)));
  }

  /** Answers a probe, and ends the connection. @throws FdsError when the client may not register */
  async #probe(message: Probe): Promise<void> {
    const answer = await this.host.probe(this, message);
    if (this.#state === "ended") return;
    const features = [...SERVER_FEATURES];
    const probed: Probed = { type: "probed", client_id: message.client_id, features, ...answer };
    this.socket.sendText(JSON.stringify(probed));
    this.socket.close(1000, "probed");
    this.closed();
  }

  #requireRegistered(): void {
    if (this.#state !== "registered") {
      throw new FdsError("protocol_error", "register must be the first message");
    }
  }

  /** Handles input from the client. A breach of the protocol ends the connection, and fails its streams. */
  #guard(handle: () => void): void {
    if (this.#state === "ended") {
      // A replaced connection may stay open for a while, so its messages are still limited.
      if (!this.#allowance.take()) this.socket.terminate();
      return;
    }
    try {
      handle();
    } catch (cause) {
      const error =
        cause instanceof FdsError
          ? cause
          : new FdsError("internal_error", "the server failed to read a message", { cause });
      const fields = { client_id: this.client?.clientId, remote_address: this.remoteAddress };
      if (error.code === "internal_error") this.logger.error(error.message, fields, cause);
      else this.logger.warn(`protocol broken: ${error.message}`, fields);
      for (const stream of this.#streams.values()) stream.violated(error);
      this.end(error);
    }
  }
}
