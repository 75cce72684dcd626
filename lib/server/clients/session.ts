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
import type { ProbeAnswer, RegisteredClient } from "./registered-client.ts";
import { refusalOf } from "./refusal.ts";
import { RoundTrips } from "./round-trips.ts";
import type { Socket } from "./socket.ts";
import { Streams } from "./streams.ts";

/** A client has this long, in ms, to say who it is. */
const REGISTER_WITHIN_MS = 10_000;
/** Limits of messages before a client has registered, and from then on. */
const STRANGERS_MESSAGES = { burst: 20, perSecond: 1 };
const CLIENTS_MESSAGES = { burst: 20_000, perSecond: 500 };
/** What was measured of the way to a client, as {@link ClientLink} has it. */
export type Way = Pick<ClientLink, "rate"> & { roundTripMs: number };

/** What a session asks of those who know the clients. */
export interface SessionHost {
  /** @throws FdsError when the client may not register */
  register(session: Session, message: Register): Promise<void>;
  /** @throws FdsError when the client may not register */
  probe(session: Session, message: Introduction): Promise<ProbeAnswer>;
  /** The session has ended; called once, also when it never registered. */
  ended(session: Session): void;
}

/**
 * One connection of a client: reads what comes, hands it to the stream it is for, and notices
 * when the other side is dead. Whatever breaks the protocol ends the connection with a code.
 */
export class Session implements ClientLink {
  readonly id = Bun.randomUUIDv7();
  /** Set once the client has registered. */
  client: RegisteredClient | undefined;
  lastHeardAt = Date.now();
  rate: number | null = null;
  #state: "new" | "registering" | "registered" | "ended" = "new";
  readonly #streams = new Streams();
  readonly #roundTrips = new RoundTrips(() => void this.socket.ping());
  // Monotonic, ms: a clock that is set must not kill anybody.
  readonly #openedAt = performance.now();
  #heardAt = performance.now();
  /** Limits messages and frames, except frames with new bytes of a file. */
  #allowance = new MessageAllowance(STRANGERS_MESSAGES);
  /** Asked when another connection took the client's id. */
  readonly #presence = new PresenceCheck((word) => void this.socket.ping(word));

  constructor(
    private readonly socket: Socket,
    /** Where the client is, as far as can be told. */
    readonly remoteAddress: string,
    private readonly host: SessionHost,
    readonly logger: Logger,
    /** Called once the client has registered. */
    private readonly onRegistered: () => void = () => {},
  ) {}

  get isOpen(): boolean {
    return this.#state === "registered";
  }

  roundTripMs(): number {
    return this.#roundTrips.least;
  }

  /** What is known of the way to the client. */
  get way(): Way {
    return { rate: this.rate, roundTripMs: this.roundTripMs() };
  }

  /** The way is most likely what it was at the client's last connection. */
  recall({ rate, roundTripMs }: Way): void {
    this.rate = rate;
    this.#roundTrips.recall(roundTripMs);
  }

  /** Gives a stream its number on this connection; what comes for it is handed to it from now on. */
  attach<Stream extends IncomingStream>(make: (number: number) => Stream): Stream {
    return this.#streams.attach(make);
  }

  send(message: ServerMessage): void {
    if (this.#state !== "registered") return;
    // 0: dropped. A client that lost a message is no longer one that can be talked to.
    if (this.socket.sendText(JSON.stringify(message)) === 0) this.drop("it reads too slowly");
  }

  /** The answer to a registration; from here on requests may be sent. */
  registered(
    client: RegisteredClient,
    answer: Pick<Registered, "version" | "new_key_taken">,
  ): void {
    if (this.#state === "ended") return;
    this.#state = "registered";
    this.client = client;
    this.#allowance = new MessageAllowance(CLIENTS_MESSAGES);
    this.onRegistered();
    const features = [...SERVER_FEATURES];
    this.send({ type: "registered", client_id: client.clientId, features, ...answer });
    this.#roundTrips.ping();
  }

  onText(text: string): void {
    this.#heard();
    this.#guard(() => {
      this.#count();
      const message = parseClientMessage(text);
      if (message.type === "register" || message.type === "probe") return this.#introduce(message);
      this.#mustBeRegistered();
      this.#streams.hand(message, (stream) => stream.onMessage(message));
    });
  }

  onBinary(bytes: Uint8Array): void {
    this.#heard();
    this.#guard(() => {
      if (!this.client) throw new FdsError("protocol_error", "a frame came before register");
      const frame = decodeFrame(bytes, this.client.chunkSize);
      this.#mustBeRegistered();
      const isOfUse = this.#streams.hand(frame, (stream) => stream.onFrame(frame)) ?? false;
      // New bytes of a file are limited by credit; a frame without any counts by the bytes that it took to send.
      const length = isOfUse ? frame.rawLength : frame.payload.length;
      if (length < MIN_CHUNK_SIZE) this.#count();
    });
  }

  onPing(): void {
    this.#heard();
    this.#guard(() => this.#count());
  }

  /** @param data what the ping said that it answers */
  onPong(data = ""): void {
    this.#heard();
    this.#presence.answered(data);
    this.#guard(() => this.#count());
    this.#roundTrips.answered();
  }

  /** Called now and then: pings, and gives up a peer from which nothing comes. */
  tend(): void {
    if (this.#state === "ended") return;
    const now = performance.now();
    const silent = now - this.#heardAt;
    if (!this.client && now - this.#openedAt > REGISTER_WITHIN_MS) {
      this.end(
        new FdsError("client_timeout", `did not register in ${REGISTER_WITHIN_MS / 1000} s`),
      );
    } else if (silent > DEAD_AFTER_MS) {
      this.drop(`nothing was heard for ${DEAD_AFTER_MS / 1000} s`);
    } else if (this.#roundTrips.sincePing >= PING_INTERVAL_MS) {
      this.#roundTrips.ping();
    }
    for (const stream of this.#streams.values()) stream.checkStalled();
  }

  /** Ends the connection with the error's close code and reason. */
  end(error: FdsError): void {
    if (this.#state === "ended") return;
    this.socket.close(error.close, closeReason(error));
    this.closed();
  }

  /**
   * Another connection has the client's id. This one carries nothing any more, and ends once the
   * other side has shown that it is still there, or did not.
   * @param onAnswer it did: so it is not what the client left behind when its line broke
   */
  replace(onAnswer: () => void): void {
    if (this.#state === "ended") return;
    this.closed();
    this.#presence.ask({
      onAnswer: () => {
        onAnswer();
        this.#leave("another machine uses this id");
      },
      onSilence: () => this.#leave("the client connected again"),
    });
  }

  /** What it carries goes on later, for a reason that the records tell. */
  interrupt(problem: Problem): void {
    for (const stream of this.#streams.values()) stream.giveWay(problem);
  }

  /** Ends the connection without a word: the other side is not there to hear it. */
  drop(reason: string): void {
    if (this.#state === "ended") return;
    this.logger.warn(`connection dropped: ${reason}`, { client_id: this.client?.clientId });
    this.socket.terminate();
    this.closed();
  }

  /** The connection is gone, for whatever reason. */
  closed(): void {
    this.#presence.stop();
    if (this.#state === "ended") return;
    this.#state = "ended";
    for (const stream of this.#streams.values()) stream.lose();
    this.host.ended(this);
  }

  #heard(): void {
    this.#heardAt = performance.now();
    this.lastHeardAt = Date.now();
  }

  /** Says why it was replaced. */
  #leave(reason: string): void {
    const error = new FdsError("replaced", reason);
    this.socket.close(error.close, closeReason(error));
  }

  /** @throws FdsError `rate_limited` */
  #count(): void {
    if (this.#allowance.take()) return;
    throw new FdsError("rate_limited", "the client says too much that brings no file on");
  }

  /** @throws FdsError `protocol_error` for a client that said already who it is */
  #introduce(message: Register | Probe): void {
    if (this.#state !== "new") throw new FdsError("protocol_error", `${message.type} came twice`);
    this.#state = "registering";
    const done =
      message.type === "probe" ? this.#probe(message) : this.host.register(this, message);
    done.catch((error: unknown) => this.end(refusalOf(error, message, this)));
  }

  /** Answers, and ends the connection. @throws FdsError when the client may not register */
  async #probe(message: Probe): Promise<void> {
    const answer = await this.host.probe(this, message);
    if (this.#state === "ended") return;
    const features = [...SERVER_FEATURES];
    const probed: Probed = { type: "probed", client_id: message.client_id, features, ...answer };
    this.socket.sendText(JSON.stringify(probed));
    this.socket.close(1000, "probed");
    this.closed();
  }

  #mustBeRegistered(): void {
    if (this.#state !== "registered") {
      throw new FdsError("protocol_error", "register must be the first message");
    }
  }

  /** What breaks the protocol ends the connection, and counts against what it was carrying. */
  #guard(handle: () => void): void {
    if (this.#state === "ended") {
      // It may be there for a while, if it was replaced.
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
