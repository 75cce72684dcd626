/**
 * The client program of a site. It dials out to the server, stays connected, and sends the files that the
 * server requests.
 */
import { existsSync } from "node:fs";
import { DailyLimit } from "./lib/client/owner-rules/daily-limit.ts";
import { CLIENT_HELP, type ClientConfig, readClientConfig } from "./lib/client/config.ts";
import { type ConnectionChange, ConnectionRecorder } from "./lib/client/connection-record.ts";
import { readEnrolToken, removeEnrolToken } from "./lib/client/enrol-token-file.ts";
import { keyFiles, prepareKeys, loadOrCreateKey, takeNewKey } from "./lib/client/key.ts";
import { CLIENT_SETTINGS } from "./lib/client/settings.ts";
import { RequestLog } from "./lib/client/owner-rules/request-log.ts";
import { stayConnected } from "./lib/client/reconnect.ts";
import { tlsOptionsOf } from "./lib/client/server-identity.ts";
import { TlsFiles } from "./lib/client/tls-files.ts";
import { Roots } from "./lib/client/owner-rules/roots.ts";
import { parseCommandLine } from "./lib/util/checkup.ts";
import { exposedFiles } from "./lib/util/exposed-files.ts";
import { withConfigFile } from "./lib/util/settings-file.ts";
import { LineLimit } from "./lib/util/line-limit.ts";
import { Logger } from "./lib/util/logger.ts";
import { rateByHour } from "./lib/util/rate-rules.ts";
import { TokenBucket } from "./lib/util/token-bucket.ts";
import { runService } from "./lib/util/service.ts";
import { version } from "./package.json";
import { stdout } from "./lib/util/output.ts";

if (import.meta.main) await runClient(process.argv.slice(2));

/**
 * Runs the client, or `client doctor`, as the only task of the process.
 * @param argv the command line's arguments, without the program's name
 */
export async function runClient(argv: string[]): Promise<void> {
  await runService(async () => {
    if (argv[0] === "doctor") return doctor(argv.slice(1));
    const { config, secretFile } = readConfig(argv, stdout.isTTY);
    return config === "help" ? CLIENT_HELP : start(config, secretFile);
  });
}

/**
 * Reads the client's configuration from flags, the file of --config and the environment.
 * @throws UsageError if a setting is missing or invalid, or if the file cannot be read
 */
function readConfig(argv: string[], isTerminal: boolean) {
  const { env, ...files } = withConfigFile(CLIENT_SETTINGS, argv, process.env);
  return { config: readClientConfig(argv, env, isTerminal, existsSync), ...files };
}

/** Runs `fds client doctor`, which reports problems of the client's set-up instead of starting the client. */
async function doctor(argv: string[]) {
  // Imported only here, because a running client does not need the doctor's modules.
  const { DOCTOR_HELP, examineClient } = await import("./lib/client/doctor/doctor.ts");
  const { isHelp, json, flags } = parseCommandLine(argv, CLIENT_SETTINGS);
  if (isHelp) return DOCTOR_HELP;
  const read = () => {
    const { config, ...files } = readConfig(flags, false);
    if (config === "help") throw new Error("help was not asked for");
    return { config, ...files };
  };
  const isWell = await examineClient(read, version, { json, write: (text) => stdout.write(text) });
  return { exitCode: isWell ? 0 : 1 };
}

/**
 * Starts the client.
 * @param secretFile path of the settings file, if it contains a secret; the file's permissions are then
 *   checked. Else null.
 */
async function start(config: ClientConfig, secretFile: string | null) {
  const { id, serverUrl, chunkSize, compress, proxy, tls, stateDir } = config;
  const logger = new Logger({ level: config.logLevel, format: config.logFormat });
  const { allow, deny } = config;
  const roots = await Roots.open(config.roots, { allow, deny, mayBrowse: config.mayBrowse });
  const tlsFiles = await TlsFiles.open(tls);
  const { key, isNew } = await loadOrCreateKey(stateDir);
  await roots.withhold(stateDir);
  const enrolToken = config.enrolToken ?? (await readEnrolToken(stateDir));
  const secrets = [...keyFiles(stateDir), tls.key, secretFile];
  for (const warning of await exposedFiles(...secrets)) logger.warn(warning);
  const requestLog = new RequestLog(
    stateDir,
    new LineLimit(logger, "the record of requests").of(""),
  );
  const { maxBytesPerDay: limit } = config;
  const dailyLimit = limit === null ? null : await DailyLimit.open({ stateDir, limit, logger });
  const connection = recordConnection(config, logger);
  const stopping = new AbortController();
  const running = stayConnected(
    {
      id,
      serverUrl,
      keys: { key },
      isKeyNew: isNew,
      prepareKeys: () => prepareKeys(stateDir, config.keyMaxAge),
      takeNewKey: () => takeNewKey(stateDir),
      enrolToken,
      version,
      timeZone: config.timeZone,
      chunkSize,
      rateLimit: new TokenBucket(rateByHour(config.rates, config.timeZone ?? "UTC")),
      compress,
      roots,
      onChange: connection.change,
      dailyLimit,
      onRequestEnded: (details, { outcome, bytesSent: bytes_sent, reason }) =>
        requestLog.add({ server: serverUrl.origin, ...details, outcome, bytes_sent, reason }),
      proxy,
      tlsToUse: async () => tlsOptionsOf(await tlsFiles.read(logger), tls.pins),
      logger,
    },
    stopping.signal,
  );
  return {
    logger,
    ended: running,
    async stop() {
      stopping.abort();
      await running;
      await requestLog.close();
      await connection.close();
    },
  };
}

/**
 * Returns callbacks that record the state of the connection for people at the site, and delete the enrolment
 * token after its use.
 */
function recordConnection({ stateDir, serverUrl }: ClientConfig, logger: Logger) {
  // People know the server by its http URL, so the record shows http instead of ws.
  const fixedFields = { server: serverUrl.origin.replace(/^ws/, "http"), version };
  const recorder = new ConnectionRecorder(stateDir, fixedFields, logger);
  return {
    change(change: ConnectionChange): void {
      recorder.change(change);
      if (change.state === "connected") void forgetEnrolToken(stateDir, logger);
    },
    close: () => recorder.close(),
  };
}

/**
 * Deletes the file with the enrolment token, which a registered client no longer needs, because it
 * authenticates with its own key.
 */
async function forgetEnrolToken(stateDir: string, logger: Logger): Promise<void> {
  try {
    await removeEnrolToken(stateDir);
  } catch (error) {
    logger.error("the file of the enrolment token could not be removed", {}, error);
  }
}
