/** The server program: reads the settings, opens storage and database, and serves until a signal stops it. */
import { Hono } from "hono";
import dashboard from "./lib/dashboard/index.html";
import { readServerConfig, SERVER_HELP, type ServerConfig } from "./lib/server/config.ts";
import { holdDatabase } from "./lib/server/database/hold.ts";
import { lookAtDatabase } from "./lib/server/database/look.ts";
import { openSqlRepository } from "./lib/server/database/sql.ts";
import type { Lookers } from "./lib/server/doctor/data.ts";
import { DOCTOR_HELP, examineServer } from "./lib/server/doctor/doctor.ts";
import { buildEngine, type Engine } from "./lib/server/engine.ts";
import { announce } from "./lib/server/http/announce.ts";
import type { Listener } from "./lib/server/http/listen.ts";
import { LongAnswers } from "./lib/server/http/long-answers.ts";
import { callsWith } from "./lib/server/http/call.ts";
import { refuseWhileAway } from "./lib/server/http/availability.ts";
import { authentication } from "./lib/server/http/callers.ts";
import { errorAnswers, nothingHere } from "./lib/server/http/errors.ts";
import { type Authenticators, authenticators } from "./lib/server/http/authenticators.ts";
import { type RestCalls, restCalls } from "./lib/server/http/rest-calls.ts";
import type { RestEnv } from "./lib/server/http/rest-env.ts";
import { admin, anyone, operator, viewer } from "./lib/server/http/role-guards.ts";
import { refuseOtherMethods, type RestRoutes } from "./lib/server/http/routing.ts";
import { RunningCalls } from "./lib/server/http/running-calls.ts";
import { serve } from "./lib/server/http/serve.ts";
import { SERVER_SETTINGS } from "./lib/server/settings.ts";
import { Sharing } from "./lib/server/sharing.ts";
import { openDiskStorage } from "./lib/server/storage/disk.ts";
import { openS3Storage } from "./lib/server/storage/s3/s3.ts";
import { openServerFolder } from "./lib/server/storage/server-folder.ts";
import type { Storage } from "./lib/server/storage/storage.ts";
import { parseCommandLine } from "./lib/util/checkup.ts";
import { exposedFiles } from "./lib/util/exposed-files.ts";
import { FairTurns, type InTurn } from "./lib/util/fair-turns.ts";
import { Logger } from "./lib/util/logger.ts";
import { runService } from "./lib/util/service.ts";
import { RateLimiter } from "./lib/util/rate-limiter.ts";
import { type Away, waitUntilThere } from "./lib/util/wait-until-there.ts";
import { withConfigFile } from "./lib/util/settings-file.ts";
import { version } from "./package.json";
import { stdout } from "./lib/util/output.ts";

/**
 * How long the stopping server keeps connections open after it sent clients a close frame, in ms. Bytes that
 * clients still send are read meanwhile. Closing a socket with unread bytes would reset the connection (RFC
 * 1122, 4.2.2.13), and a client could get the reset before the close frame with the reason.
 */
const CLOSE_FRAME_READ_MS = 250;

/** How long a stopping server waits for running REST calls to end, in ms. */
const CALLS_END_WITHIN_MS = 3_000;

/** Unique id of this run of the server, to tell it from other servers with the same database. */
const SERVER_ID = Bun.randomUUIDv7();

/**
 * Owner of the server's own long work in {@link FairTurns}. All other owners are names of API tokens, and the
 * name of a token has no spaces.
 */
const THE_SERVER = "the server";

if (import.meta.main) await runServer(process.argv.slice(2));

/**
 * Runs the server, or `server doctor`, as the only task of the process.
 * @param argv the command line's arguments, without the program's name
 */
export async function runServer(argv: string[]): Promise<void> {
  await runService(async (stopSignal) => {
    if (argv[0] === "doctor") return doctor(argv.slice(1));
    const isTerminal = stdout.isTTY;
    const { config, secretFile } = readConfig(argv, isTerminal);
    return config === "help" ? SERVER_HELP : start(config, { secretFile, isTerminal, stopSignal });
  });
}

/** Reads the settings from flags, environment and file. @throws UsageError if one is missing or invalid */
function readConfig(argv: string[], isTerminal: boolean) {
  const { env, ...files } = withConfigFile(SERVER_SETTINGS, argv, process.env);
  return { config: readServerConfig(argv, env, isTerminal), ...files };
}

/** Runs `server doctor`: checks the settings, the database, the storage and more, and prints the results. */
async function doctor(argv: string[]) {
  const { isHelp, json, flags } = parseCommandLine(argv, SERVER_SETTINGS);
  if (isHelp) return DOCTOR_HELP;
  const read = () => {
    const { config, ...files } = readConfig(flags, false);
    if (config === "help") throw new Error("help was not asked for");
    return { config, ...files };
  };
  const lookers: Lookers = {
    database: lookAtDatabase,
    bucket: async (storage) => (await openS3Storage(storage)).close(),
  };
  const isWell = await examineServer(read, lookers, { json, write: (text) => stdout.write(text) });
  return { exitCode: isWell ? 0 : 1 };
}

interface StartOptions {
  /** Path of the settings file if it contains a secret; otherwise null. */
  secretFile: string | null;
  isTerminal: boolean;
  /** Aborted when the server has to stop, also while it still waits for its database or storage. */
  stopSignal: AbortSignal;
}

async function start(config: ServerConfig, { secretFile, isTerminal, stopSignal }: StartOptions) {
  const logger = new Logger({ level: config.logLevel, format: config.logFormat });
  for (const warning of await exposedFiles(secretFile)) logger.warn(warning);
  const engine = await openEngine(config, logger, stopSignal);
  const { apiToken } = config;
  const access = authenticators({ apiToken, rows: engine.repository.access, logger });
  const runningCalls = new RunningCalls();
  const app = buildApp(config, { engine, access, runningCalls, logger });
  const { openCalls } = access;
  const sharing = await Sharing.begin({ engine, openCalls, serverId: SERVER_ID, logger });
  await engine.downloads.recover();
  await engine.jobs.recover();
  engine.retention.start();
  await engine.schedules.recover();
  await engine.webhookParts.start();
  const { clients, audit } = engine;
  const listener = await serve({ config, app, page: dashboard, clients, audit, logger });
  sharing?.start();
  await announce(config, { port: listener.port, signIn: access.signIn, isTerminal, logger });
  return {
    logger,
    ...(config.tls && { reload: () => listener.reload() }),
    stop: () => stop({ engine, listener, runningCalls, sharing }),
  };
}

/** Opens the storage and the database that the settings name, and builds the engine with them. */
async function openEngine(
  config: ServerConfig,
  logger: Logger,
  stopSignal: AbortSignal,
): Promise<Engine> {
  const turns = new FairTurns();
  const inTurn: InTurn = (piece) => turns.run(THE_SERVER, piece);
  const logWait = ({ message }: Away) => logger.warn(`the start waits: ${message}`);
  if (config.rowsFolder !== null) await openServerFolder(config.rowsFolder);
  const storage = await waitUntilThere(() => openStorage(config), logWait, stopSignal);
  await holdDatabase(config.databaseUrl);
  const open = () => openSqlRepository(config.databaseUrl, { inTurn, logger });
  const repository = await waitUntilThere(open, logWait, stopSignal);
  return buildEngine({ config, storage, repository, turns, version, logger });
}

/** Opens the storage for downloaded files, S3 or a disk. @throws Away if it cannot be reached now */
function openStorage({ storage, isShared }: ServerConfig): Promise<Storage> {
  return storage.type === "s3"
    ? openS3Storage({ ...storage, isShared })
    : openDiskStorage(storage.path, isShared);
}

interface AppOptions {
  engine: Engine;
  access: Authenticators;
  runningCalls: RunningCalls;
  logger: Logger;
}

/** Builds the REST interface as a Hono app. */
function buildApp(
  { requestRate }: ServerConfig,
  { engine, access, runningCalls, logger }: AppOptions,
): Hono<RestEnv> {
  const { audit, turns, repository } = engine;
  // A burst of two seconds' worth of requests is allowed, because a browser that opens the dashboard sends
  // many at once.
  const requests = new RateLimiter({ burst: 2 * requestRate, everyMs: 1000 / requestRate });
  const longAnswers = new LongAnswers({ turns, openCalls: access.openCalls, logger });
  const app = new Hono<RestEnv>();
  app.use(runningCalls.counted);
  app.use(refuseWhileAway(repository));
  app.use(authentication({ access, requests }));
  app.notFound(nothingHere);
  app.onError(errorAnswers({ audit, logger }));
  const call = callsWith({ access, longAnswers, audit });
  addRoutes(app, restCalls({ call, engine, access, serverId: SERVER_ID, version, logger }));
  refuseOtherMethods(app);
  return app;
}

/**
 * Adds the routes of the REST interface, each with its handler and the lowest role that may call it. The
 * types require each route to agree with its request and response in lib/api/endpoints.
 */
function addRoutes(app: RestRoutes, calls: RestCalls): void {
  const { server, sessions, clients, downloads, changes, content, events, jobs } = calls;
  app.get("/health", anyone, ...server.health);
  app.get("/live", anyone, ...server.live);
  app.get("/metrics", viewer, ...server.metrics);
  app.get("/openapi.json", anyone, ...server.openapi);

  app.get("/api/session", anyone, ...sessions.getSession);
  app.post("/api/session", anyone, ...sessions.signIn);
  app.delete("/api/session", anyone, ...sessions.signOut);
  app.post("/api/session/code", viewer, ...sessions.createSignInCode);

  app.get("/api/clients", viewer, ...clients.listClients);
  app.get("/api/clients/:client_id/files", operator, ...clients.listClientFiles);
  app.patch("/api/clients/:client_id", admin, ...clients.changeClient);
  app.post("/api/clients/:client_id/revoke", admin, ...clients.revokeClient);

  app.post("/api/download", operator, ...downloads.startDownload);
  app.get("/api/downloads", viewer, ...downloads.listDownloads);
  app.get("/api/downloads/:download_id", viewer, ...downloads.getDownload);
  app.patch("/api/downloads/:download_id", operator, ...changes.changeDownload);
  app.post("/api/downloads/:download_id/cancel", operator, ...changes.cancelDownload);
  app.post("/api/downloads/:download_id/retry", operator, ...changes.retryDownload);
  app.get("/api/downloads/:download_id/files", viewer, ...content.listSetFiles);
  app.get("/api/downloads/:download_id/content", viewer, ...content.downloadContent);
  app.delete("/api/downloads/:download_id/content", admin, ...changes.removeContent);
  app.get("/api/downloads/:download_id/events", viewer, ...events.downloadEvents);
  app.get("/api/events", viewer, ...events.events);
  app.get("/api/totals", viewer, ...downloads.totals);

  app.post("/api/jobs", operator, ...jobs.createJob);
  app.get("/api/jobs", viewer, ...jobs.listJobs);
  app.get("/api/jobs/:job_id", viewer, ...jobs.getJob);
  app.patch("/api/jobs/:job_id", operator, ...jobs.changeJob);
  app.post("/api/jobs/:job_id/cancel", operator, ...jobs.cancelJob);
  app.post("/api/jobs/:job_id/pause", operator, ...jobs.pauseJob);
  app.post("/api/jobs/:job_id/resume", operator, ...jobs.resumeJob);
  app.post("/api/jobs/:job_id/rerun", operator, ...jobs.rerunJob);
  addScheduleRoutes(app, calls);
  addAdminRoutes(app, calls);
}

function addScheduleRoutes(app: RestRoutes, calls: RestCalls): void {
  const { schedules, scheduleTimes, deliveries } = calls;
  app.post("/api/schedules", operator, ...schedules.createSchedule);
  app.get("/api/schedules", viewer, ...schedules.listSchedules);
  app.get("/api/schedules/:name", viewer, ...schedules.getSchedule);
  app.patch("/api/schedules/:name", operator, ...schedules.changeSchedule);
  app.delete("/api/schedules/:name", operator, ...schedules.deleteSchedule);
  app.post("/api/schedules/preview", operator, ...scheduleTimes.previewTimes);
  app.get("/api/schedules/:name/preview", viewer, ...scheduleTimes.previewSchedule);
  app.post("/api/schedules/:name/run", operator, ...deliveries.runSchedule);
  app.get("/api/schedules/:name/deliveries", viewer, ...deliveries.listDeliveries);
  app.get("/api/schedules/:name/board", viewer, ...deliveries.showBoard);
}

function addAdminRoutes(app: RestRoutes, { keys, tokens, webhooks, audit }: RestCalls): void {
  app.get("/api/enrolment-keys", admin, ...keys.listEnrolmentKeys);
  app.post("/api/enrolment-keys", admin, ...keys.createEnrolmentKey);
  app.delete("/api/enrolment-keys/:name", admin, ...keys.revokeEnrolmentKey);
  app.get("/api/tokens", admin, ...tokens.listTokens);
  app.post("/api/tokens", admin, ...tokens.createToken);
  app.delete("/api/tokens/:name", admin, ...tokens.revokeToken);

  app.get("/api/webhooks", admin, ...webhooks.listWebhooks);
  app.post("/api/webhooks", admin, ...webhooks.createWebhook);
  app.get("/api/webhooks/:name", admin, ...webhooks.getWebhook);
  app.patch("/api/webhooks/:name", admin, ...webhooks.changeWebhook);
  app.delete("/api/webhooks/:name", admin, ...webhooks.deleteWebhook);
  app.post("/api/webhooks/:name/test", admin, ...webhooks.testWebhook);
  app.post("/api/webhooks/:name/rotate", admin, ...webhooks.rotateWebhookSecret);
  app.get("/api/webhooks/:name/attempts", admin, ...webhooks.listWebhookAttempts);
  app.post(
    "/api/webhooks/:name/attempts/:attempt_id/replay",
    admin,
    ...webhooks.replayWebhookAttempt,
  );

  app.get("/api/audit", admin, ...audit.audit);
}

interface RunningServer {
  engine: Engine;
  listener: Listener;
  runningCalls: RunningCalls;
  sharing: Sharing | null;
}

async function stop({ engine, listener, runningCalls, sharing }: RunningServer): Promise<void> {
  listener.close();
  runningCalls.refuse();
  engine.stopWatching();
  engine.schedules.stop();
  engine.jobs.stop();
  engine.storage.stopSoon();
  await engine.retention.stop();
  await engine.downloads.stop();
  await engine.clients.close();
  await engine.webhookParts.stop();
  const closeFramesRead = Bun.sleep(CLOSE_FRAME_READ_MS);
  engine.events.close();
  // Running REST calls end before the audit log and the database are closed, because the calls use both.
  await runningCalls.end(CALLS_END_WITHIN_MS);
  await engine.audit.close();
  await sharing?.stop();
  await engine.repository.close();
  await engine.storage.close();
  await closeFramesRead;
  await listener.end();
}
