import type { Hono } from "hono";
import { exposedFiles } from "../../util/exposed-files.ts";
import type { Logger } from "../../util/logger.ts";
import { TrustedProxies } from "../access/remote-address.ts";
import type { Audit } from "../audit/audit.ts";
import type { Clients } from "../clients/clients.ts";
import type { ServerConfig } from "../config.ts";
import { readCertificate } from "./certificate.ts";
import { ClientSockets, type SocketData } from "./client-sockets.ts";
import { FrontDoor } from "./front-door.ts";
import { Listener } from "./listen.ts";
import { pageRoutes } from "./page.ts";
import type { RestEnv } from "./rest-env.ts";
import { securityHeaders } from "./security-headers.ts";

/**
 * Time in seconds after which an HTTP connection without progress is closed: the runtime's maximum. A
 * connection to a slow link can seem idle for long, while megabytes in buffers of proxies or of the kernel
 * drain.
 */
const IDLE_SECONDS = 255;

export interface ServeOptions {
  config: ServerConfig;
  /** The app that handles REST calls. */
  app: Pick<Hono<RestEnv>, "fetch">;
  /** The HTML file of the dashboard. */
  page: Bun.HTMLBundle;
  clients: Clients;
  audit: Pick<Audit, "record">;
  logger: Logger;
}

/**
 * Starts to accept connections: HTTP requests, and WebSockets of clients.
 * @throws UsageError if the certificate cannot be used
 * @throws Error if the program cannot listen on the host and port; the message gives advice
 */
export async function serve(options: ServeOptions): Promise<Listener> {
  const { config, app, page, clients, audit, logger } = options;
  const { host, port, tls } = config;
  const secure = securityHeaders(tls !== null);
  const pages = await pageRoutes(page, secure);
  const proxies = new TrustedProxies(config.trustedProxies);
  const sockets = new ClientSockets({
    clients,
    audit,
    maxPerAddress: config.maxConnectionsPerAddress,
    chunkSize: config.chunkSize,
    anyoneEnrols: config.enrolToken === null,
  });
  const needsNoToken = config.apiToken === null;
  const door = new FrontDoor({ app, sockets, pages, audit, needsNoToken, secure });
  const listen = (listenPort: number, certificate: Bun.TLSOptions | undefined) =>
    Bun.serve<SocketData>({
      hostname: host,
      port: listenPort,
      development: false,
      // By default, Bun shares the port if `development` is false. A second server on the port would get half
      // of the connections.
      reusePort: false,
      idleTimeout: IDLE_SECONDS,
      ...(certificate && { tls: certificate }),
      fetch: (request, self) => {
        const address = proxies.addressOf(self.requestIP(request)?.address ?? "", request);
        return door.answer(request, address, self);
      },
      websocket: sockets.handlers,
    });
  const readTls = tls && (() => readCertificate(tls));
  for (const warning of await exposedFiles(tls?.key ?? null)) logger.warn(warning);
  return Listener.start({ host, port, serve: listen, readTls, logger });
}
