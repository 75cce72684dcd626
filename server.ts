/** The cloud side: reads its settings, puts the parts together, serves until it is told to stop. */
import { endpoints } from "./lib/api/endpoints.ts";
import dashboard from "./lib/dashboard/index.html";
import { Audit } from "./lib/server/audit/audit.ts";
import { EnrolmentKeys } from "./lib/server/clients/enrolment.ts";
import { OpenCalls } from "./lib/server/access/open-calls.ts";
import { Tokens } from "./lib/server/access/tokens.ts";
import { Browsing } from "./lib/server/clients/browsing.ts";
import { Clients } from "./lib/server/clients/clients.ts";
import { readServerConfig, SERVER_HELP, type ServerConfig } from "./lib/server/config.ts";
import { FlowControl } from "./lib/server/transfer/flow-control.ts";
import { openSqlRepository } from "./lib/server/database/sql.ts";
import { Downloads } from "./lib/server/downloads/downloads.ts";
import { EventFeeds } from "./lib/server/events/event-feeds.ts";
import { Events } from "./lib/server/events/events.ts";
import { watchEventLoop } from "./lib/server/metrics/event-loop-lag.ts";
import { announce } from "./lib/server/http/announce.ts";
import { readCertificate } from "./lib/server/http/certificate.ts";
import { ClientSockets, type Connected } from "./lib/server/http/client-sockets.ts";
import { FrontDoor } from "./lib/server/http/front-door.ts";
import { TrustedProxies } from "./lib/server/access/remote-address.ts";
import { Guesses } from "./lib/server/http/guesses.ts";
import { Listener } from "./lib/server/http/listen.ts";
import { LongAnswers } from "./lib/server/http/long-answers.ts";
import { Metrics } from "./lib/server/metrics/metrics.ts";
import { metricsPage } from "./lib/server/http/metrics-page.ts";
import { pageRoutes } from "./lib/server/http/page.ts";
import { restHandlers } from "./lib/server/http/rest.ts";
import { type Handlers, Router } from "./lib/server/http/routing.ts";
import { securityHeaders } from "./lib/server/http/security-headers.ts";
import { SignIn } from "./lib/server/http/sign-in.ts";
import { openDiskStorage } from "./lib/server/storage/disk.ts";
import { FairTurns } from "./lib/util/fair-turns.ts";
import { exposedFiles } from "./lib/util/exposed-files.ts";
import { Logger } from "./lib/util/logger.ts";
import { runService } from "./lib/util/service.ts";
import { RateLimiter } from "./lib/util/rate-limiter.ts";
import { version } from "./package.json";
import { stdout } from "./lib/util/output.ts";

/**
 * An HTTP connection on which nothing moves is closed after this many seconds, as many as the runtime
 * can count: megabytes that lie in buffers on the way take long to drain into a slow line.
 */
const IDLE_SECONDS = 255;

/**
 * How long clients have to hear why they are cut off, before the process ends, in ms. What they still
 * send is taken meanwhile: bytes that nobody took would reset the connection (RFC 1122, 4.2.2.13),
 * and a reset that overtakes the close frame is all that a client hears.
 */
const GOODBYE_MS = 250;

/** Whose the server's own long work is; no token has a space in its name. */
const THE_SERVER = "the server";

await runService(async () => {
  const isTerminal = stdout.isTTY;
  const config = readServerConfig(process.argv.slice(2), process.env, isTerminal);
  return config === "help" ? SERVER_HELP : start(config, isTerminal);
});

async function start(config: ServerConfig, isTerminal: boolean) {
  const logger = new Logger({ level: config.logLevel, format: config.logFormat });
  const engine = await startEngine(config, logger);
  const api = buildApi(config, engine, logger);
  await engine.downloads.recover();
  const listener = await listen(config, engine, api, logger);
  announce(config, { port: listener.port, signIn: api.signIn, isTerminal, logger });
  return {
    logger,
    ...(config.tls && { reload: () => listener.reload() }),
    stop: () => stop(engine, listener),
  };
}

/** What moves the files: storage, database, clients, downloads, events. HTTP is no part of it. */
type Engine = Awaited<ReturnType<typeof startEngine>>;

async function startEngine(config: ServerConfig, logger: Logger) {
  const storage = await openDiskStorage(config.downloadsDir);
  const turns = new FairTurns();
  const repository = await openSqlRepository(config.databaseUrl, {
    inTurn: (piece) => turns.run(THE_SERVER, piece),
  });
  const credit = new FlowControl(config.receiveBudget);
  const metrics = new Metrics();
  const audit = new Audit({
    rows: repository.audit,
    keep: config.auditKeep,
    maxSize: config.auditMaxSize,
    logger,
  });
  const enrolmentKeys = new EnrolmentKeys(repository.access);
  const clients = new Clients({
    repository,
    enrolToken: config.enrolToken,
    enrolmentKeys,
    chunkSize: config.chunkSize,
    version,
    logger,
    onRegistered: () => downloads.clientRegistered(),
    onChange: (clientId) => events.clientChanged(clientId),
    metrics,
    audit,
  });
  const downloads = new Downloads({
    repository,
    storage,
    clients,
    credit,
    limits: { total: config.maxActiveDownloads, perClient: config.maxActiveDownloadsPerClient },
    minFreeDisk: config.minFreeDisk,
    quotas: config.quotas,
    onChange: () => events.downloadChanged(),
    metrics,
    audit,
    logger,
  });
  const events = new Events({
    repository,
    clients,
    progressOf: (download) => downloads.progressOf(download),
    logger,
  });
  const stopWatching = watchEventLoop(metrics.eventLoopLag);
  return {
    storage,
    repository,
    turns,
    credit,
    metrics,
    audit,
    enrolmentKeys,
    clients,
    downloads,
    events,
    stopWatching,
  };
}

/** The REST interface, and who may call it. */
type Api = ReturnType<typeof buildApi>;

function buildApi({ apiToken, requestRate }: ServerConfig, engine: Engine, logger: Logger) {
  const { repository, clients, downloads, events, credit, metrics } = engine;
  const { storage, turns, audit, enrolmentKeys } = engine;
  const rows = repository.access;
  const openCalls = new OpenCalls();
  const tokens = new Tokens(rows, openCalls, logger);
  const guesses = new Guesses();
  const signIn =
    apiToken === null ? null : new SignIn({ apiToken, tokens, rows, openCalls, guesses });
  const measured = { metrics, repository, storage, clients, downloads, events, credit, version };
  const rest = restHandlers({
    clients,
    browsing: new Browsing({ clients, credit, metrics }),
    downloads,
    events: new EventFeeds({ repository, clients, events, openCalls, turns, logger }),
    storage,
    sets: repository.sets,
    openCalls,
    metricsPage: (inTurn) => metricsPage(measured, inTurn),
    signIn,
    tokens,
    enrolmentKeys,
    audit,
    version,
  });
  // A burst is no harm: a page that is opened asks for much at once.
  const requests = new RateLimiter({ burst: 2 * requestRate, everyMs: 1000 / requestRate });
  const access = { apiToken, tokens, guesses, signIn };
  const longAnswers = new LongAnswers({ turns, openCalls, logger });
  const router = withRoutes(new Router({ access, requests, longAnswers, audit, logger }), rest);
  return { router, signIn };
}

/** Takes connections: HTTP, and the WebSockets of clients. */
async function listen(
  config: ServerConfig,
  { clients, audit }: Engine,
  { router }: Api,
  logger: Logger,
): Promise<Listener> {
  const { host, port, tls } = config;
  const secure = securityHeaders(tls !== null);
  const pages = await pageRoutes(dashboard, secure);
  const proxies = new TrustedProxies(config.trustedProxies);
  const sockets = new ClientSockets({
    clients,
    audit,
    maxPerAddress: config.maxConnectionsPerAddress,
    chunkSize: config.chunkSize,
    anyoneEnrols: config.enrolToken === null,
  });
  const isOpen = config.apiToken === null;
  const door = new FrontDoor({ router, sockets, pages, audit, isOpen, secure });
  const serve = (on: number, certificate: Bun.TLSOptions | undefined) =>
    Bun.serve<Connected>({
      hostname: host,
      port: on,
      development: false,
      // Bun's default where development is false: a second server would get every other connection.
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
  return Listener.start({ host, port, serve, readTls, logger });
}

async function stop(engine: Engine, listener: Listener): Promise<void> {
  listener.close();
  engine.stopWatching();
  await engine.downloads.stop();
  await engine.clients.close();
  const heard = Bun.sleep(GOODBYE_MS);
  engine.events.close();
  await engine.audit.close();
  await engine.repository.close();
  await engine.storage.close();
  await heard;
  await listener.end();
}

/** The REST interface: what each call is, and what it does. */
function withRoutes(router: Router, rest: Handlers): Router {
  return router
    .add(endpoints.health, rest.health)
    .add(endpoints.metrics, rest.metrics)
    .add(endpoints.openapi, rest.openapi)
    .add(endpoints.getSession, rest.getSession)
    .add(endpoints.signIn, rest.signIn)
    .add(endpoints.signOut, rest.signOut)
    .add(endpoints.createSignInCode, rest.createSignInCode)
    .add(endpoints.totals, rest.totals)
    .add(endpoints.listClients, rest.listClients)
    .add(endpoints.listClientFiles, rest.listClientFiles)
    .add(endpoints.startDownload, rest.startDownload)
    .add(endpoints.listDownloads, rest.listDownloads)
    .add(endpoints.getDownload, rest.getDownload)
    .add(endpoints.listSetFiles, rest.listSetFiles)
    .add(endpoints.downloadContent, rest.downloadContent)
    .add(endpoints.downloadEvents, rest.downloadEvents)
    .add(endpoints.events, rest.events)
    .add(endpoints.changeDownload, rest.changeDownload)
    .add(endpoints.cancelDownload, rest.cancelDownload)
    .add(endpoints.retryDownload, rest.retryDownload)
    .add(endpoints.revokeClient, rest.revokeClient)
    .add(endpoints.listEnrolmentKeys, rest.listEnrolmentKeys)
    .add(endpoints.createEnrolmentKey, rest.createEnrolmentKey)
    .add(endpoints.revokeEnrolmentKey, rest.revokeEnrolmentKey)
    .add(endpoints.listTokens, rest.listTokens)
    .add(endpoints.createToken, rest.createToken)
    .add(endpoints.revokeToken, rest.revokeToken)
    .add(endpoints.audit, rest.audit)
    .close();
}
