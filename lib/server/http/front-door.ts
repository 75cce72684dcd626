import type { Hono } from "hono";
import type { Audit } from "../audit/audit.ts";
import { FOREIGN_NAME_MESSAGE, hasLoopbackName } from "./authentication.ts";
import { dropBody, hasBody, hasUnreadBody } from "./body.ts";
import type { ClientSockets, SocketData } from "./client-sockets.ts";
import { absoluteUrl, withAbsoluteUrl, flawOfHost } from "./host.ts";
import { pageAnswer, type Pages } from "./page.ts";
import { problem } from "./problem.ts";
import type { RestEnv } from "./rest-env.ts";
import type { Secure } from "./security-headers.ts";

export interface FrontDoorOptions {
  /** The app that handles REST calls. */
  app: Pick<Hono<RestEnv>, "fetch">;
  sockets: Pick<ClientSockets, "upgrade">;
  pages: Pages;
  audit: Pick<Audit, "record">;
  /** True: no token is needed, so only requests that use a loopback name are answered. */
  needsNoToken: boolean;
  /** Adds the security headers that all responses have. */
  secure: Secure;
}

/**
 * Handles all incoming requests: for the dashboard, for a client's WebSocket, or for the API. Bun's own
 * routes are not used, as they read request bodies of any length without telling this program.
 */
export class FrontDoor {
  constructor(private readonly options: FrontDoorOptions) {}

  /**
   * Handles one request.
   * @param address where the request came from
   * @returns the response; undefined if the request became a WebSocket
   */
  async answer(
    request: Request,
    address: string,
    server: Bun.Server<SocketData>,
  ): Promise<Response | undefined> {
    const answer = await this.#answer(request, address, server);
    if (answer && hasUnreadBody(request, answer)) {
      await dropBody(request);
      answer.headers.set("Connection", "close");
    }
    if (request.method === "HEAD" && answer) leaveLengthOpen(answer);
    return answer && this.options.secure(answer);
  }

  async #answer(
    request: Request,
    address: string,
    server: Bun.Server<SocketData>,
  ): Promise<Response | undefined> {
    const flaw = flawOfHost(request);
    if (flaw !== null) return problem("invalid_request", flaw);
    const { method } = request;
    // Refuses the body of a GET. The runtime does not expose such a body, but reads it for as long as the
    // response lasts.
    if (hasBody(request) && request.body === null) {
      return problem("invalid_request", `Send no body with ${method}`);
    }
    const { pathname } = new URL(absoluteUrl(request));
    if (pathname === "/ws") return this.options.sockets.upgrade(request, address, server);
    const page = this.options.pages[pathname];
    if (!page || (method !== "GET" && method !== "HEAD")) {
      return this.options.app.fetch(withAbsoluteUrl(request), { address });
    }
    if (!this.options.needsNoToken || hasLoopbackName(request)) return pageAnswer(page, request);
    const target = `${method} ${pathname}`;
    this.options.audit.record({ action: "denied", outcome: "forbidden", address, target });
    return problem("forbidden", FOREIGN_NAME_MESSAGE);
  }
}

/**
 * Makes the runtime send no Content-Length with a HEAD response if the response to GET would have none. By
 * default, the runtime would send 0, the length of the empty body.
 */
function leaveLengthOpen(answer: Response): void {
  if (answer.status !== 200 || answer.headers.has("Content-Length")) return;
  answer.headers.set("Transfer-Encoding", "chunked");
}
