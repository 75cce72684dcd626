import { type ErrorCode, FdsError } from "../../protocol/errors.ts";
import { HEADER_BYTES } from "../../protocol/frame.ts";
import { MAX_CHUNK_SIZE, SUBPROTOCOL } from "../../protocol/messages.ts";
import type { Audit } from "../audit/audit.ts";
import type { Clients } from "../clients/clients.ts";
import type { Session } from "../clients/session.ts";
import { isOwnOrigin } from "./authentication.ts";
import { ConnectionLimit } from "./connection-limit.ts";
import { flawOfHost } from "./host.ts";
import { problem } from "./problem.ts";

/** What may wait for a client that does not read; all that it is told are short messages. */
const MAX_UNREAD_BYTES = 1024 * 1024;

/** What is kept of a WebSocket. */
export interface Connected {
  /** Where the client is, as far as can be told. */
  address: string;
  /** Whether the client speaks a protocol that this server knows. */
  understood: boolean;
  /** There once it is open, for a client that is understood. */
  session?: Session;
}

export interface ClientSocketsOptions {
  clients: Pick<Clients, "connect" | "refuse" | "waitOf">;
  audit: Pick<Audit, "record">;
  /** Most WebSockets of one address. */
  maxPerAddress: number;
}

/** The way in for clients: makes WebSockets of their requests, and a session of each WebSocket. */
export class ClientSockets {
  readonly #limit: ConnectionLimit;

  constructor(private readonly options: ClientSocketsOptions) {
    this.#limit = new ConnectionLimit(options.maxPerAddress);
  }

  /**
   * Makes a WebSocket of a request.
   * @param address where it came from
   * @returns the answer to one that may not connect, which is in the audit then
   */
  upgrade(request: Request, address: string, server: Bun.Server<Connected>): Response | undefined {
    const flaw = flawOfHost(request);
    if (flaw !== null) return this.#refuse(address, "invalid_request", flaw);
    if (!isOwnOrigin(request)) {
      return this.#refuse(address, "forbidden", "Clients connect here, pages of others do not");
    }
    const offered = request.headers.get("Sec-WebSocket-Protocol")?.split(/, */);
    const understood = offered?.includes(SUBPROTOCOL) ?? true;
    const chosen = understood ? SUBPROTOCOL : (offered?.[0] ?? "");
    const headers = offered && { "Sec-WebSocket-Protocol": chosen };
    if (this.options.clients.waitOf(address) > 0 || !this.#limit.take(address)) {
      return this.#refuse(address, "rate_limited", "Wait, this address connects too often");
    }
    // Also one that is not understood: of a refused upgrade a client sees no more than the status.
    if (server.upgrade(request, { data: { address, understood }, headers })) return undefined;
    this.#limit.release(address);
    const message = understood
      ? "Connect here with a WebSocket"
      : `This server speaks ${SUBPROTOCOL}`;
    return this.#refuse(address, "invalid_request", message);
  }

  /** What Bun.serve is to do with them. */
  get handlers(): Bun.WebSocketHandler<Connected> {
    const { clients } = this.options;
    return {
      perMessageDeflate: false,
      maxPayloadLength: MAX_CHUNK_SIZE + HEADER_BYTES,
      // A session has timers of its own: these do not fire on a dead peer that is sent to.
      idleTimeout: 0,
      sendPings: false,
      backpressureLimit: MAX_UNREAD_BYTES,
      closeOnBackpressureLimit: true,
      open(ws) {
        if (ws.data.understood) {
          ws.data.session = clients.connect(ws, ws.data.address);
        } else {
          const message = `this server speaks ${SUBPROTOCOL}`;
          clients.refuse(ws, ws.data.address, new FdsError("unsupported_version", message));
        }
      },
      message(ws, message) {
        if (typeof message === "string") ws.data.session?.onText(message);
        else ws.data.session?.onBinary(message);
      },
      ping(ws) {
        ws.data.session?.heard();
      },
      pong(ws) {
        ws.data.session?.onPong();
      },
      close: (ws) => {
        this.#limit.release(ws.data.address);
        ws.data.session?.closed();
      },
    };
  }

  #refuse(address: string, code: ErrorCode, message: string): Response {
    this.options.audit.record({ action: "denied", outcome: code, address, target: "GET /ws" });
    return problem(code, message);
  }
}
