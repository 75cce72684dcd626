import { type ErrorCode, FdsError } from "../../protocol/errors.ts";
import { HEADER_BYTES } from "../../protocol/frame.ts";
import { MAX_MESSAGE_BYTES, SUBPROTOCOL } from "../../protocol/messages.ts";
import type { Audit } from "../audit/audit.ts";
import type { Clients } from "../clients/clients.ts";
import type { Session } from "../clients/session.ts";
import { hasLoopbackName, isOwnOrigin } from "./authentication.ts";
import { ConnectionLimit } from "./connection-limit.ts";
import { problem } from "./problem.ts";
import { WaitingRoom } from "./waiting-room.ts";

/**
 * Limit on the unsent bytes for one client. As all messages to clients are short, only a client that does not
 * read exceeds it.
 */
const MAX_UNREAD_BYTES = 1024 * 1024;

/** Limits on the connections that have not registered yet, from one address and in total. */
const UNREGISTERED_LIMITS = { perAddress: 1_024, total: 2_048 };

/** Limit on the memory for messages of all connections that have not registered yet, in bytes. */
const UNREGISTERED_BYTES = 16 * 1024 * 1024;

/** The data that is attached to each WebSocket. */
export interface SocketData {
  /** The client's IP address. Behind a trusted proxy, it is the address that the proxy reported. */
  address: string;
  /** Whether the client uses a version of the protocol that this server supports. */
  isVersionSupported: boolean;
  /** Set once the WebSocket is open, if the client's version of the protocol is supported. */
  session?: Session;
}

export interface ClientSocketsOptions {
  clients: Pick<Clients, "connect" | "refuse" | "waitOf">;
  audit: Pick<Audit, "record">;
  /** Limit on the WebSockets from one address. */
  maxPerAddress: number;
  /** Maximum number of bytes of data in a frame that this server accepts. */
  chunkSize: number;
  /** Whether clients can enrol without a token. If so, they must run on this machine. */
  anyoneEnrols: boolean;
}

type ClientSocket = Bun.ServerWebSocket<SocketData>;

/**
 * Accepts connections of clients: upgrades HTTP requests to WebSockets, and creates a session for each one.
 */
export class ClientSockets {
  readonly #limit: ConnectionLimit;
  readonly #waiting: WaitingRoom<ClientSocket>;
  /** Largest size of a message in bytes. The runtime buffers each message until it is complete. */
  readonly #maxMessage: number;

  constructor(private readonly options: ClientSocketsOptions) {
    this.#limit = new ConnectionLimit(options.maxPerAddress);
    this.#maxMessage = Math.max(MAX_MESSAGE_BYTES, options.chunkSize + HEADER_BYTES);
    this.#waiting = new WaitingRoom({
      ...UNREGISTERED_LIMITS,
      readAtOnce: Math.max(2, Math.floor(UNREGISTERED_BYTES / this.#maxMessage)),
      turnAway: ({ data }) =>
        data.session?.end(new FdsError("client_timeout", "did not register, and others wait")),
    });
  }

  /**
   * Upgrades a request to a WebSocket.
   * @param address where the request came from
   * @returns undefined if upgraded; else the error response, and the refusal is recorded in the audit
   */
  async upgrade(
    request: Request,
    address: string,
    server: Bun.Server<SocketData>,
  ): Promise<Response | undefined> {
    if (this.options.anyoneEnrols && !hasLoopbackName(request)) {
      const message = 'Set ENROLL_TOKEN to use any other name than "localhost"';
      return this.#refuse(address, "forbidden", message);
    }
    if (!isOwnOrigin(request)) {
      return this.#refuse(address, "forbidden", "Clients connect here, pages of others do not");
    }
    const offered = request.headers.get("Sec-WebSocket-Protocol")?.split(/, */);
    const isVersionSupported = offered?.includes(SUBPROTOCOL) ?? true;
    const chosen = isVersionSupported ? SUBPROTOCOL : (offered?.[0] ?? "");
    const headers = offered && { "Sec-WebSocket-Protocol": chosen };
    if (!this.#takePlace(address)) {
      return this.#refuse(address, "rate_limited", "Wait, this address connects too often");
    }
    // Waits one round of the event loop. Otherwise, bytes that come directly after the request would be read
    // before the connection can be paused. After the wait, the runtime refuses a client that sent such bytes.
    // A client must send nothing before the response (RFC 6455, 4.1).
    await new Promise(setImmediate);
    // A client with an unsupported protocol is upgraded, too, so that it can be sent an error message. If the
    // upgrade were refused, the client would see only an HTTP status.
    if (server.upgrade(request, { data: { address, isVersionSupported }, headers }))
      return undefined;
    this.#limit.release(address);
    this.#waiting.giveBack(address);
    const message = isVersionSupported
      ? "Connect here with a WebSocket"
      : `This server speaks ${SUBPROTOCOL}`;
    return this.#refuse(address, "invalid_request", message);
  }

  /** The WebSocket handlers for Bun.serve. */
  get handlers(): Bun.WebSocketHandler<SocketData> {
    const { clients } = this.options;
    const waiting = this.#waiting;
    return {
      perMessageDeflate: false,
      maxPayloadLength: this.#maxMessage,
      // Sessions have their own timers. The runtime's timeout does not notice a dead peer while data is being
      // sent.
      idleTimeout: 0,
      sendPings: false,
      backpressureLimit: MAX_UNREAD_BYTES,
      closeOnBackpressureLimit: true,
      open(ws) {
        waiting.enter(ws, ws.data.address);
        if (ws.data.isVersionSupported) {
          ws.data.session = clients.connect(ws, ws.data.address, () => {
            waiting.leave(ws);
            ws.resume();
          });
        } else {
          const message = `this server speaks ${SUBPROTOCOL}`;
          clients.refuse(ws, ws.data.address, new FdsError("unsupported_version", message));
        }
      },
      message(ws, message) {
        waiting.heard(ws);
        if (typeof message === "string") ws.data.session?.onText(message);
        else ws.data.session?.onBinary(message);
      },
      ping(ws) {
        ws.data.session?.onPing();
      },
      pong(ws, data) {
        ws.data.session?.onPong(String(data));
      },
      close: (ws) => {
        this.#limit.release(ws.data.address);
        waiting.leave(ws);
        ws.data.session?.closed();
      },
    };
  }

  /**
   * Reserves a place for a new WebSocket.
   * @returns false if the address must wait because too many of its connections did not register, or if the
   * address has too many connections, or if too many connections have not registered yet
   */
  #takePlace(address: string): boolean {
    if (this.options.clients.waitOf(address) > 0 || !this.#limit.take(address)) return false;
    if (this.#waiting.take(address)) return true;
    this.#limit.release(address);
    return false;
  }

  #refuse(address: string, code: ErrorCode, message: string): Response {
    this.options.audit.record({ action: "denied", outcome: code, address, target: "GET /ws" });
    // The connection is closed, as the peer wanted only a WebSocket and will send no other request.
    return problem(code, message, { Connection: "close" });
  }
}
