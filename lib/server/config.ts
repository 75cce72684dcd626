import { join, resolve } from "node:path";
import { ENVIRONMENT_NOTE, howToRun, serviceNote } from "../util/build.ts";
import { UsageError } from "../util/flags.ts";
import { defaultLogFormat } from "../util/log-settings.ts";
import { isLoopback } from "../util/loopback.ts";
import { type Kind, size } from "../util/kinds.ts";
import { describeSettings, type Environment, Settings } from "../util/settings.ts";
import type { Quotas } from "./downloads/quota.ts";
import { HOST, MIN_TOKEN_LENGTH, SERVER_SETTINGS } from "./settings.ts";
import { storageOf } from "./storage-config.ts";

type ServerSettings = Settings<typeof SERVER_SETTINGS>;

/** Paths of the PEM files for TLS. */
export interface ServerTls {
  cert: string;
  key: string;
  /**
   * Path of the certificate of the CA that signs the clients' certificates; null: clients need no
   * certificate.
   */
  clientCa: string | null;
}

/**
 * Settings that {@link configOf} reads one by one, to check them or to compute other values from them. All
 * other settings are taken as they are.
 */
const PROCESSED_SETTINGS = [
  "host",
  "databaseUrl",
  "storageUrl",
  "s3Endpoint",
  "s3Region",
  "accessKeyId",
  "secretAccessKey",
  "receiveBudget",
  "maxFileSize",
  "quotaPerClient",
  "quota",
  "trustedProxies",
  "tlsCert",
  "tlsKey",
  "tlsClientCa",
  "logFormat",
] as const;

/** The server's configuration. Most fields are settings, named as in the table of settings.ts. */
export type ServerConfig = ReturnType<typeof configOf>;

export const SERVER_HELP = `Usage: ${howToRun("server")} [flags]

Takes files from clients. "${howToRun("server")} doctor" with the same flags says what is wrong, and what to
do. Flags override the file of --config, and that overrides the
environment${ENVIRONMENT_NOTE}.
${serviceNote("server")}
${describeSettings(SERVER_SETTINGS)}
`;

/**
 * Reads the server's flags and environment.
 * @param argv arguments without the program's name
 * @param isTerminal whether the log goes to a terminal
 * @returns "help" when the flags ask for help
 * @throws UsageError that names the setting, what was expected, and the value unless it is a secret
 */
export function readServerConfig(
  argv: string[],
  env: Environment,
  isTerminal: boolean,
): ServerConfig | "help" {
  const settings = new Settings(SERVER_SETTINGS, argv, env);
  return settings.helpWanted ? "help" : configOf(settings, isTerminal);
}

/** Returns the configuration: most settings as they are, and the values that are computed from the others. */
function configOf(settings: ServerSettings, isTerminal: boolean) {
  const apiToken = settings.read("apiToken");
  const enrolToken = settings.read("enrolToken");
  const host = settings.read("host", hostFor(apiToken, enrolToken));
  if (!isLoopback(host)) requireStrongTokens(host, apiToken, enrolToken);
  const downloadsDir = settings.read("downloadsDir");
  const chunkSize = settings.read("chunkSize");
  const databaseUrl = settings.read("databaseUrl");
  const receiveBudget = settings.read("receiveBudget", size(chunkSize));
  const storage = storageOf(settings, downloadsDir, receiveBudget);
  const isStorageElsewhere =
    storage.type === "s3" || resolve(storage.path) !== resolve(downloadsDir);
  const quotas: Quotas = {
    file: settings.read("maxFileSize"),
    perClient: settings.read("quotaPerClient"),
    total: settings.read("quota"),
  };
  return {
    ...settings.readAllBut(...PROCESSED_SETTINGS),
    host,
    databaseUrl: databaseUrl ?? `sqlite://${join(downloadsDir, ".server", "state.db")}`,
    rowsFolder: databaseUrl === null && isStorageElsewhere ? downloadsDir : null,
    storage,
    // Several servers can work together only if they share a database of Postgres.
    isShared: databaseUrl?.startsWith("postgres") ?? false,
    receiveBudget: Math.max(chunkSize, receiveBudget - storage.memory),
    quotas,
    trustedProxies: settings.read("trustedProxies") ?? [],
    tls: readTls(settings),
    logFormat: settings.read("logFormat") ?? defaultLogFormat(isTerminal),
  };
}

/**
 * Returns the rule that the address to listen at has to meet. If API_TOKEN or ENROLL_TOKEN is not set, only a
 * loopback address is allowed, as anybody who reaches the server then has access.
 */
function hostFor(apiToken: string | null, enrolToken: string | null): Kind<string> {
  const missing = [
    ...(apiToken === null ? ["no API_TOKEN"] : []),
    ...(enrolToken === null ? ["no ENROLL_TOKEN"] : []),
  ];
  if (missing.length === 0) return HOST;
  return {
    schema: HOST.schema.refine(isLoopback),
    expected: `a loopback address such as "127.0.0.1", as there is ${missing.join(" and ")}`,
  };
}

/**
 * Checks API_TOKEN and ENROLL_TOKEN of a server that other machines can reach.
 * @throws UsageError if one of them is too short, or both are the same
 */
function requireStrongTokens(
  host: string,
  apiToken: string | null,
  enrolToken: string | null,
): void {
  for (const [name, token] of Object.entries({ API_TOKEN: apiToken, ENROLL_TOKEN: enrolToken })) {
    if (token === null || token.length >= MIN_TOKEN_LENGTH) continue;
    throw new UsageError(
      `${name} is too short, expected at least ${MIN_TOKEN_LENGTH} characters, as others than this machine reach "${host}" and could guess it`,
    );
  }
  if (apiToken !== enrolToken) return;
  throw new UsageError(
    `ENROLL_TOKEN is the same as API_TOKEN, expected another one: who may enrol a client could do everything`,
  );
}

function readTls(settings: ServerSettings): ServerTls | null {
  const cert = settings.read("tlsCert");
  const key = settings.read("tlsKey");
  const clientCa = settings.read("tlsClientCa");
  if (cert !== null && key !== null) return { cert, key, clientCa };
  if (cert === null && key === null && clientCa === null) return null;
  const missing = cert === null ? "TLS_CERT" : "TLS_KEY";
  throw new UsageError(
    `${missing} is missing, set TLS_CERT and TLS_KEY together, or none of TLS_CERT, TLS_KEY and TLS_CLIENT_CA`,
  );
}
