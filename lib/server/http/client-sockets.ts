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

/** Most bytes that wait for a client that does not read. All messages to it are short. */
const MAX_UNREAD_BYTES = 1024 * 1024;

/** Most clients that have not registered yet, from one address and in all. */
const WAITING = { perAddress: 1_024, inAll: 2_048 };

/** Most bytes in memory for all clients that have not registered yet. */
const UNREGISTERED_BYTES = 16 * 1024 * 1024;

/** The data that is attached to a WebSocket. */
export interface Connected {
  /** The client's address, as far as it is known. */
  address: string;
  /** Whether the client uses a protocol that this server knows. */
  understood: boolean;
  /** Set once the WebSocket is open, if its protocol is known. */
  session?: Session;
}

export interface ClientSocketsOptions {
  clients: Pick<Clients, "connect" | "refuse" | "waitOf">;
  audit: Pick<Audit, "record">;
  /** Most WebSockets from one address. */
  maxPerAddress: number;
  /** Most bytes in a frame that this server accepts. */
  chunkSize: number;
  /** Whether clients can enrol without a token. Then they have to be on this machine. */
  anyoneEnrols: boolean;
}

type ClientSocket = Bun.ServerWebSocket<Connected>;

/** Accepts clients: upgrades their requests to WebSockets, and makes a session of each WebSocket. */
export class ClientSockets {
  readonly #limit: ConnectionLimit;
  readonly #waiting: WaitingRoom<ClientSocket>;
  /** Most bytes of a message, as the runtime buffers it until it is complete. */
  readonly #maxMessage: number;

  constructor(private readonly options: ClientSocketsOptions) {
    this.#limit = new ConnectionLimit(options.maxPerAddress);
    this.#maxMessage = Math.max(MAX_MESSAGE_BYTES, options.chunkSize + HEADER_BYTES);
    this.#waiting = new WaitingRoom({
      ...WAITING,
      readAtOnce: Math.max(2, Math.floor(UNREGISTERED_BYTES / this.#maxMessage)),
      turnAway: ({ data }) =>
        data.session?.end(new FdsError("client_timeout", "did not register, and others wait")),
    });
  }

  /**
   * Upgrades a request to a WebSocket.
   * @param address where it came from
   * @returns the answer to a refused request, which is in the audit then
   */
  async upgrade(
    request: Request,
    address: string,
    server: Bun.Server<Connected>,
  ): Promise<Response | undefined> {
    if (this.options.anyoneEnrols && !hasLoopbackName(request)) {
      const message = 'Set ENROLL_TOKEN to use any other name than "localhost"';
      return this.#refuse(address, "forbidden", message);
    }
    if (!isOwnOrigin(request)) {
      return this.#refuse(address, "forbidden", "Clients connect here, pages of others do not");
    }
    const offered = request.headers.get("Sec-WebSocket-Protocol")?.split(/, */);
    const understood = offered?.includes(SUBPROTOCOL) ?? true;
    const chosen = understood ? SUBPROTOCOL : (offered?.[0] ?? "");
    const headers = offered && { "Sec-WebSocket-Protocol": chosen };
    if (!this.#takePlace(address)) {
      return this.#refuse(address, "rate_limited", "Wait, this address connects too often");
    }
    // Bytes that come directly after the request would be read before anything can pause the connection. A
    // client sends nothing before the answer (RFC 6455, 4.1), and the runtime refuses one that does.
    await new Promise(setImmediate);
    // Also for an unknown protocol: of a refused upgrade, a client sees only the status.
    if (server.upgrade(request, { data: { address, understood }, headers })) return undefined;
    this.#limit.release(address);
    this.#waiting.giveBack(address);
    const message = understood
      ? "Connect here with a WebSocket"
      : `This server speaks ${SUBPROTOCOL}`;
    return this.#refuse(address, "invalid_request", message);
  }

  /** The handlers for Bun.serve. */
  get handlers(): Bun.WebSocketHandler<Connected> {
    const { clients } = this.options;
    const waiting = this.#waiting;
    return {
      perMessageDeflate: false,
      maxPayloadLength: this.#maxMessage,
      // Sessions have their own timers. The runtime's does not notice a dead peer that data is sent to.
      idleTimeout: 0,
      sendPings: false,
      backpressureLimit: MAX_UNREAD_BYTES,
      closeOnBackpressureLimit: true,
      open(ws) {
        waiting.enter(ws, ws.data.address);
        if (ws.data.understood) {
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

  /** @returns false where an address has too many connections, or too many that did not register */
  #takePlace(address: string): boolean {
    if (this.options.clients.waitOf(address) > 0 || !this.#limit.take(address)) return false;
    if (this.#waiting.take(address)) return true;
    this.#limit.release(address);
    return false;
  }

  #refuse(address: string, code: ErrorCode, message: string): Response {
    this.options.audit.record({ action: "denied", outcome: code, address, target: "GET /ws" });
    // A caller that may not be a client has nothing else to say here.
    return problem(code, message, { Connection: "close" });
  }
}
