import { arch, hostname, platform } from "node:os";
import type { ConnectionOptions as TlsConnectionOptions } from "node:tls";
import { codeOfClose, type ErrorCode, FdsError } from "../protocol/errors.ts";
import {
  type ClientMessage,
  DEAD_AFTER_MS,
  FEATURES,
  PING_INTERVAL_MS,
  parseServerMessage,
  SUBPROTOCOL,
} from "../protocol/messages.ts";
import { Agent, type AgentOptions } from "./agent.ts";
import type { ClientKeys } from "./key.ts";

/** The server has this long, in ms, to take the connection and the registration. */
const CONNECT_WITHIN_MS = 20_000;
/** How often the connection is looked after, in ms. */
const TEND_INTERVAL_MS = 5_000;

export interface ConnectionOptions extends AgentOptions {
  id: string;
  /** `ws://HOST:PORT/ws`, or wss. */
  serverUrl: URL;
  keys: ClientKeys;
  /** Shown to enrol; undefined where the key is enough. */
  enrollToken: string | undefined;
  version: string;
  tls: Bun.TLSOptions & Pick<TlsConnectionOptions, "checkServerIdentity">;
  /** URL of a proxy, or null. */
  proxy: string | null;
  /** @param newKeyTaken the server knows the client by its new key from now on */
  onRegistered: (newKeyTaken: boolean) => void;
}

/** How a connection ended. */
export interface Ending {
  /** One line for the log. */
  reason: string;
  /** The server's code, where it gave one. */
  code: ErrorCode | undefined;
  /** The server had taken the registration. */
  registered: boolean;
  /** A good part of a file, or a whole one, was delivered. */
  worked: boolean;
  /** ms */
  lasted: number;
}

/** One connection: dials, registers, serves requests, and notices when the server is dead. */
export class Connection {
  readonly #socket: WebSocket;
  readonly #agent: Agent;
  readonly #ending = Promise.withResolvers<Ending>();
  readonly #timer: Timer;
  #over = false;
  #registered = false;
  // Monotonic, ms: a clock that is set must not kill the connection.
  readonly #dialledAt = performance.now();
  #heardAt = performance.now();
  #pingedAt = performance.now();

  constructor(private readonly options: ConnectionOptions) {
    const { serverUrl, tls, proxy } = options;
    this.#socket = new WebSocket(serverUrl, {
      protocols: [SUBPROTOCOL],
      perMessageDeflate: false,
      ...(serverUrl.protocol === "wss:" && { tls }),
      ...(proxy !== null && { proxy }),
    });
    this.#agent = new Agent(this.#socket, options);
    this.#socket.addEventListener("open", () => this.#register());
    this.#socket.addEventListener("message", ({ data }) => this.#onMessage(data));
    this.#socket.addEventListener("ping", () => this.#heard());
    this.#socket.addEventListener("pong", () => this.#heard());
    this.#socket.addEventListener("error", ({ message }) => this.#end(message || "cannot connect"));
    this.#socket.addEventListener("close", ({ code, reason }) =>
      this.#end(reason || `closed with code ${code}`, codeOfClose(code)),
    );
    this.#timer = setInterval(() => this.#tend(), TEND_INTERVAL_MS);
  }

  /** Resolves when the connection has ended and every file is closed. */
  get ended(): Promise<Ending> {
    return this.#ending.promise;
  }

  /** Says goodbye: the program ends. */
  close(): void {
    this.#socket.close(1000, "the client stops");
    this.#end("the client stops");
  }

  #register(): void {
    this.#heard();
    const { id, keys, enrollToken, version, chunkSize } = this.options;
    const register: ClientMessage = {
      type: "register",
      client_id: id,
      key: keys.key,
      new_key: keys.newKey,
      enroll_token: enrollToken,
      version,
      hostname: hostname(),
      platform: `${platform()} ${arch()}`,
      chunk_size: chunkSize,
      features: Object.values(FEATURES),
    };
    this.#socket.send(JSON.stringify(register));
  }

  #onMessage(data: unknown): void {
    this.#heard();
    if (this.#over) return;
    try {
      if (typeof data !== "string") {
        throw new FdsError("protocol_error", "the server sent a frame, it may only send text");
      }
      const message = parseServerMessage(data);
      if (message.type !== "registered") return this.#agent.handle(message);
      this.#registered = true;
      this.options.onRegistered(message.new_key_taken ?? false);
    } catch (cause) {
      const error =
        cause instanceof FdsError
          ? cause
          : new FdsError("internal_error", String(cause), { cause });
      this.#socket.close(error.close, error.code);
      this.#end(`protocol broken: ${error.message}`, error.code);
    }
  }

  #heard(): void {
    this.#heardAt = performance.now();
  }

  #tend(): void {
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

  /** The other side is not there to hear a goodbye. */
  #drop(reason: string): void {
    this.#socket.terminate();
    this.#end(reason);
  }

  #end(reason: string, code?: ErrorCode): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#timer);
    const lasted = performance.now() - this.#dialledAt;
    const ending = () => ({
      reason,
      code,
      registered: this.#registered,
      worked: this.#agent.worked,
      lasted,
    });
    void this.#agent.stop().then(() => this.#ending.resolve(ending()));
  }
}
