import { isIP } from "node:net";
import { join } from "node:path";
import * as z from "zod";
import { MAX_CHUNK_SIZE, MAX_STREAMS, MIN_CHUNK_SIZE } from "../protocol/messages.ts";
import { UsageError } from "../util/flags.ts";
import { isLoopback } from "../util/loopback.ts";
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "../util/logger.ts";
import {
  describeSettings,
  DURATION,
  type Environment,
  type Kind,
  oneOf,
  READABLE_FILE,
  type SettingSpec,
  Settings,
  size,
  TEXT,
  TOKEN,
  wholeNumber,
} from "../util/settings.ts";
import { isNetwork } from "./access/remote-address.ts";
import type { Quotas } from "./downloads/quota.ts";

/** Paths of PEM files. */
export interface ServerTls {
  cert: string;
  key: string;
  /** Who signs the clients' certificates; null: none are asked for. */
  clientCa: string | null;
}

/** Everything the server is told from outside. Sizes are bytes. */
export interface ServerConfig {
  host: string;
  /** 0: any free one. */
  port: number;
  downloadsDir: string;
  databaseUrl: string;
  /** What an operator has to show; null: nothing, and `host` is loopback. */
  apiToken: string | null;
  /** What a new client has to show; null: nothing, and `host` is loopback. */
  enrolToken: string | null;
  chunkSize: number;
  maxActiveDownloads: number;
  maxActiveDownloadsPerClient: number;
  /** Most bytes granted but not yet written, over all clients. */
  receiveBudget: number;
  minFreeDisk: number;
  quotas: Quotas;
  /** Reverse proxies whose X-Forwarded-For is believed: addresses and networks. */
  trustedProxies: string[];
  /** Most requests a second of one token, or of an address that shows none. */
  requestRate: number;
  /** Most WebSockets of one address. */
  maxConnectionsPerAddress: number;
  /** null: plain HTTP. */
  tls: ServerTls | null;
  /** How long the audit is kept, in ms. */
  auditKeep: number;
  /** Most bytes of the audit. */
  auditMaxSize: number;
  logLevel: LogLevel;
  logFormat: LogFormat;
}

/** Fewest characters of a token where other machines reach the server. Setup makes longer ones. */
const MIN_TOKEN_LENGTH = 16;

const SETTINGS = {
  SERVER_HOST: {
    flag: "host",
    default: "127.0.0.1",
    help: `address to listen on; one that is not loopback needs API_TOKEN and ENROLL_TOKEN, of ${MIN_TOKEN_LENGTH} characters and more`,
  },
  SERVER_PORT: { flag: "port", default: "8080", help: "port to listen on, 0 for any free one" },
  DOWNLOADS_DIR: {
    flag: "downloads-dir",
    default: "./downloads",
    help: "folder that the files are saved in",
  },
  DATABASE_URL: {
    secret: true,
    help: "where downloads are recorded (default: sqlite://<DOWNLOADS_DIR>/.server/state.db)",
  },
  API_TOKEN: { secret: true, help: "what every call of the API must show" },
  ENROLL_TOKEN: { secret: true, help: "what a new client must show once" },
  CHUNK_SIZE: { default: "1MiB", help: "most bytes in one frame, 4KiB to 8MiB" },
  MAX_ACTIVE_DOWNLOADS: { default: "32", help: "most downloads at once, the others wait" },
  MAX_ACTIVE_DOWNLOADS_PER_CLIENT: {
    default: "2",
    help: `the same for each client, at most ${MAX_STREAMS}`,
  },
  RECEIVE_BUDGET: {
    default: "128MiB",
    help: "most bytes granted but not yet written, over all clients; at least CHUNK_SIZE",
  },
  MIN_FREE_DISK: { default: "256MiB", help: "room on the disk that is left free" },
  MAX_FILE_SIZE: { help: "largest file that is taken (default: no limit)" },
  QUOTA_PER_CLIENT: {
    help: "most bytes of each client in DOWNLOADS_DIR; more waits until some are removed (default: no limit)",
  },
  QUOTA: { help: "the same for all clients together (default: no limit)" },
  REQUEST_RATE: {
    default: "500",
    help: "most requests a second of one API token, or of an address that shows none",
  },
  MAX_CONNECTIONS_PER_ADDRESS: {
    default: "20000",
    help: "most clients that connect from one address, which those behind one router share",
  },
  TRUSTED_PROXIES: {
    help: 'list of reverse proxies whose X-Forwarded-For is believed, such as "10.0.0.0/8,::1"',
  },
  TLS_CERT: { help: "PEM file of the server's certificate, for https; needs TLS_KEY" },
  TLS_KEY: { help: "PEM file of its private key" },
  TLS_CLIENT_CA: { help: "PEM file of whoever signs the clients' certificates" },
  AUDIT_KEEP: { default: "90d", help: "how long the audit is kept, such as 90d" },
  AUDIT_MAX_SIZE: {
    default: "256MiB",
    help: "most bytes of the audit: the oldest go, of strangers apart from all others",
  },
  LOG_LEVEL: { default: "info", help: LOG_LEVELS.join(", ") },
  LOG_FORMAT: {
    help: `${LOG_FORMATS.join(" or ")} (default: pretty on a terminal, json otherwise)`,
  },
} satisfies Record<string, SettingSpec>;

type ServerSettings = Settings<keyof typeof SETTINGS>;

const NETWORKS: Kind<string[]> = {
  schema: z
    .string()
    .transform((text) => text.split(/[\s,]+/).filter(Boolean))
    .refine((list) => list.every(isNetwork)),
  expected: 'addresses and networks such as "10.0.0.0/8,::1"',
};

/** FreeSpace for thousands of rows, in bytes. */
const MIN_AUDIT_SIZE = 1024 * 1024;

const MOST_DOWNLOADS = 100_000;

export const SERVER_HELP = `Usage: bun run server [flags]

Takes files from clients. Flags override the environment, and Bun reads .env by itself.

${describeSettings(SETTINGS)}
`;

/**
 * Reads the server's flags and environment.
 * @param argv without the program's name
 * @param isTerminal whether a person sees the log as it is written
 * @returns "help" when that is what was asked for
 * @throws UsageError that names the setting, the value (but no secret) and what was expected
 */
export function readServerConfig(
  argv: string[],
  env: Environment,
  isTerminal: boolean,
): ServerConfig | "help" {
  const settings = new Settings(SETTINGS, argv, env);
  if (settings.helpWanted) return "help";
  const apiToken = settings.readOptional("API_TOKEN", TOKEN);
  const enrolToken = settings.readOptional("ENROLL_TOKEN", TOKEN);
  const host = settings.read("SERVER_HOST", hostFor(apiToken, enrolToken));
  if (!isLoopback(host)) requireStrongTokens(host, apiToken, enrolToken);
  const downloadsDir = settings.read("DOWNLOADS_DIR", TEXT);
  const chunkSize = settings.read("CHUNK_SIZE", size(MIN_CHUNK_SIZE, MAX_CHUNK_SIZE));
  return {
    host,
    port: settings.read("SERVER_PORT", wholeNumber(0, 65_535)),
    downloadsDir,
    databaseUrl:
      settings.readOptional("DATABASE_URL", TEXT) ??
      `sqlite://${join(downloadsDir, ".server", "state.db")}`,
    apiToken,
    enrolToken,
    chunkSize,
    maxActiveDownloads: settings.read("MAX_ACTIVE_DOWNLOADS", wholeNumber(1, MOST_DOWNLOADS)),
    maxActiveDownloadsPerClient: settings.read(
      "MAX_ACTIVE_DOWNLOADS_PER_CLIENT",
      wholeNumber(1, MAX_STREAMS),
    ),
    receiveBudget: settings.read("RECEIVE_BUDGET", size(chunkSize)),
    minFreeDisk: settings.read("MIN_FREE_DISK", size(0)),
    quotas: {
      file: settings.readOptional("MAX_FILE_SIZE", size(1)),
      perClient: settings.readOptional("QUOTA_PER_CLIENT", size(1)),
      total: settings.readOptional("QUOTA", size(1)),
    },
    trustedProxies: settings.readOptional("TRUSTED_PROXIES", NETWORKS) ?? [],
    requestRate: settings.read("REQUEST_RATE", wholeNumber(1, 1_000_000)),
    maxConnectionsPerAddress: settings.read(
      "MAX_CONNECTIONS_PER_ADDRESS",
      wholeNumber(1, 1_000_000),
    ),
    tls: readTls(settings),
    auditKeep: settings.read("AUDIT_KEEP", DURATION),
    auditMaxSize: settings.read("AUDIT_MAX_SIZE", size(MIN_AUDIT_SIZE)),
    logLevel: settings.read("LOG_LEVEL", oneOf(LOG_LEVELS)),
    logFormat:
      settings.readOptional("LOG_FORMAT", oneOf(LOG_FORMATS)) ?? (isTerminal ? "pretty" : "json"),
  };
}

/** Without both tokens anyone who reaches the server is let in, so only this machine may. */
function hostFor(apiToken: string | null, enrolToken: string | null): Kind<string> {
  const missing = [
    ...(apiToken === null ? ["no API_TOKEN"] : []),
    ...(enrolToken === null ? ["no ENROLL_TOKEN"] : []),
  ];
  const schema = z.string().refine(isHost);
  if (missing.length === 0) return { schema, expected: 'an address such as "0.0.0.0"' };
  return {
    schema: schema.refine(isLoopback),
    expected: `a loopback address such as "127.0.0.1", as there is ${missing.join(" and ")}`,
  };
}

/** Where anyone can try to get in, a token must be no word to guess, and open one door only. */
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

function isHost(text: string): boolean {
  return isIP(text) !== 0 || /^[a-z0-9_](?:[a-z0-9_.-]{0,252})$/i.test(text);
}

function readTls(settings: ServerSettings): ServerTls | null {
  const cert = settings.readOptional("TLS_CERT", READABLE_FILE);
  const key = settings.readOptional("TLS_KEY", READABLE_FILE);
  const clientCa = settings.readOptional("TLS_CLIENT_CA", READABLE_FILE);
  if (cert !== null && key !== null) return { cert, key, clientCa };
  if (cert === null && key === null && clientCa === null) return null;
  const missing = cert === null ? "TLS_CERT" : "TLS_KEY";
  throw new UsageError(
    `${missing} is missing, set TLS_CERT and TLS_KEY together, or none of TLS_CERT, TLS_KEY and TLS_CLIENT_CA`,
  );
}
