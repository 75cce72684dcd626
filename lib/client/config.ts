import { delimiter } from "node:path";
import * as z from "zod";
import { ClientId, MAX_CHUNK_SIZE, MIN_CHUNK_SIZE } from "../protocol/messages.ts";
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
  SWITCH,
  TEXT,
  TOKEN,
} from "../util/settings.ts";
import { isTimeZone, systemTimeZone } from "../util/time-zone.ts";
import { proxyFor } from "./proxy.ts";
import { PIN_PATTERN } from "./server-identity.ts";
import type { TlsPaths } from "./tls-files.ts";

/** How to know the server, and to be known to it. */
export interface ClientTls extends TlsPaths {
  /** Public keys of which the server must have one; none: any that is trusted will do. */
  pins: string[];
}

/** Everything the client is told from outside. */
export interface ClientConfig {
  id: string;
  /** The WebSocket's address: `ws://HOST:PORT/ws`, or wss, perhaps with a base path. */
  serverUrl: URL;
  /** Folders whose files may leave, as they were given. */
  roots: string[];
  /** Most bytes of a file in one frame. */
  chunkSize: number;
  /** Most bytes a second over all downloads; null: without a limit. */
  rateLimit: number | null;
  /** Whether frames are compressed where that saves time. */
  compress: boolean;
  enrolToken: string | null;
  /** Patterns of files that may leave. None: everything but hidden files and keys. */
  allow: string[];
  /** Patterns of files that may not leave. */
  deny: string[];
  /** Most bytes that may leave in a day; null: without a limit. */
  maxBytesPerDay: number | null;
  /** Whether the names of files may be listed. */
  mayBrowse: boolean;
  /** IANA name of the zone in which the site's times are; null: the server takes UTC. */
  timeZone: string | null;
  /** Folder of the client's key, and of its record of requests. */
  stateDir: string;
  /** An older key is replaced when the client connects, in ms. */
  keyMaxAge: number;
  tls: ClientTls;
  /** URL of the proxy on the way to the server, or null. */
  proxy: string | null;
  logLevel: LogLevel;
  logFormat: LogFormat;
}

const SETTINGS = {
  CLIENT_ID: { flag: "id", help: "the name of this client, such as restaurant-001; required" },
  SERVER_URL: {
    flag: "server",
    default: "http://localhost:8080",
    help: "the server's address: http, https, ws or wss",
  },
  CLIENT_ROOTS: {
    flag: "root",
    multiple: true,
    help: `folder that may be read, the variable a list parted by "${delimiter}" (default: ./test-files/<id>, if it is there)`,
  },
  CHUNK_SIZE: {
    flag: "chunk-size",
    default: "1MiB",
    help: "most bytes in one frame, 4KiB to 8MiB; the smaller of the two sides counts",
  },
  CLIENT_ALLOW: {
    flag: "allow",
    multiple: true,
    help: `pattern of files that may leave, such as "logs" or "*.csv", the variable a list parted by "${delimiter}" (default: all but hidden files and keys, which must be named: --allow .env)`,
  },
  CLIENT_DENY: {
    flag: "deny",
    multiple: true,
    help: "pattern of files that may not leave, whatever is allowed",
  },
  CLIENT_BROWSE: {
    flag: "no-browse",
    isSwitch: true,
    switchValue: "off",
    default: "on",
    help: "on: operators may list the names of files that may leave, and pull folders and patterns; off: only files that they name",
  },
  MAX_BYTES_PER_DAY: {
    flag: "max-bytes-per-day",
    help: "most bytes of files that leave in a day, by the clock here, such as 5GiB (default: no limit)",
  },
  RATE_LIMIT: {
    flag: "rate-limit",
    help: "most bytes a second to send, over all downloads, such as 2MiB (default: no limit)",
  },
  COMPRESSION: {
    default: "auto",
    help: "auto: frames are compressed where that saves time; off: never",
  },
  CLIENT_TIME_ZONE: {
    help: "the site's time zone, such as Europe/Berlin (default: this machine's)",
  },
  CLIENT_STATE_DIR: {
    flag: "state-dir",
    help: "folder of this client's key and of its record of requests (default: ./.client-state/<id>)",
  },
  KEY_MAX_AGE: {
    flag: "key-max-age",
    default: "90d",
    help: "an older key is replaced by a new one when the client connects, such as 30d or 12h",
  },
  ENROLL_TOKEN: {
    secret: true,
    help: "what the server asks of a new client, once: its ENROLL_TOKEN or an enrolment key",
  },
  TLS_CA: { help: "PEM file of whoever signs the server's certificate" },
  TLS_PIN: {
    help: 'list of public keys, one of which must be the server\'s, as "sha256//…" (curl --pinnedpubkey)',
  },
  INSECURE: {
    flag: "insecure",
    isSwitch: true,
    default: "false",
    help: "true: connect without TLS to a server that is not on this machine",
  },
  TLS_CLIENT_CERT: { help: "PEM file of this client's certificate; needs TLS_CLIENT_KEY" },
  TLS_CLIENT_KEY: { help: "PEM file of its private key" },
  HTTPS_PROXY: { help: "URL of the proxy to an https or wss server that is not on this machine" },
  HTTP_PROXY: { help: "URL of the proxy to an http or ws server that is not on this machine" },
  NO_PROXY: { help: "list of hosts, .domains and host:port to reach without it, or *" },
  LOG_LEVEL: { default: "info", help: LOG_LEVELS.join(", ") },
  LOG_FORMAT: {
    help: `${LOG_FORMATS.join(" or ")} (default: pretty on a terminal, json otherwise)`,
  },
} satisfies Record<string, SettingSpec>;

/** A slower client would leave downloads without a byte for so long that they seem dead. */
const MIN_RATE_LIMIT = 16 * 1024;

type ClientSettings = Settings<keyof typeof SETTINGS>;

export const CLIENT_HELP = `Usage: bun run client --id ID [flags]

Serves the files of its roots to one server. Flags override the environment, and Bun reads .env by
itself.

${describeSettings(SETTINGS)}
`;

const ID: Kind<string> = {
  schema: ClientId,
  expected: "1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit",
};

const TIME_ZONE: Kind<string> = {
  schema: z.string().refine(isTimeZone),
  expected: 'the IANA name of a time zone, such as "Europe/Berlin"',
};

const ENDPOINT: Kind<URL> = {
  schema: z.string().transform(endpointOf).pipe(z.instanceof(URL)),
  expected: 'an address such as "https://files.example.com", without a password, "?" or "#"',
};

/**
 * Reads the client's flags and environment.
 * @param argv without the program's name
 * @param isTerminal whether a person sees the log as it is written
 * @param exists tells whether a path is there
 * @returns "help" when that is what was asked for
 * @throws UsageError that names the setting, the value (but no secret) and what was expected
 */
export function readClientConfig(
  argv: string[],
  env: Environment,
  isTerminal: boolean,
  exists: (path: string) => boolean,
): ClientConfig | "help" {
  const settings = new Settings(SETTINGS, argv, env);
  if (settings.helpWanted) return "help";
  const id = settings.read("CLIENT_ID", ID);
  const serverUrl = readServerUrl(settings);
  return {
    id,
    serverUrl,
    roots: readRoots(settings, id, exists),
    chunkSize: settings.read("CHUNK_SIZE", size(MIN_CHUNK_SIZE, MAX_CHUNK_SIZE)),
    allow: settings.readList("CLIENT_ALLOW", delimiter),
    deny: settings.readList("CLIENT_DENY", delimiter),
    mayBrowse: settings.read("CLIENT_BROWSE", oneOf(["on", "off"])) === "on",
    maxBytesPerDay: settings.readOptional("MAX_BYTES_PER_DAY", size(1)),
    rateLimit: settings.readOptional("RATE_LIMIT", size(MIN_RATE_LIMIT)),
    compress: settings.read("COMPRESSION", oneOf(["auto", "off"])) === "auto",
    enrolToken: settings.readOptional("ENROLL_TOKEN", TOKEN),
    timeZone: settings.readOptional("CLIENT_TIME_ZONE", TIME_ZONE) ?? systemTimeZone(),
    stateDir: settings.readOptional("CLIENT_STATE_DIR", TEXT) ?? `./.client-state/${id}`,
    keyMaxAge: settings.read("KEY_MAX_AGE", DURATION),
    tls: readTls(settings),
    proxy: proxyFor(serverUrl, env),
    logLevel: settings.read("LOG_LEVEL", oneOf(LOG_LEVELS)),
    logFormat:
      settings.readOptional("LOG_FORMAT", oneOf(LOG_FORMATS)) ?? (isTerminal ? "pretty" : "json"),
  };
}

/** The key and the files would pass readable: that has to be wanted. */
function readServerUrl(settings: ClientSettings): URL {
  const url = settings.read("SERVER_URL", ENDPOINT);
  const isInsecure = url.protocol === "ws:" && !isLoopback(url.hostname);
  if (!isInsecure || settings.read("INSECURE", SWITCH)) return url;
  throw new UsageError(
    `use https:// for the server "${url.host}", or pass --insecure: without TLS anyone on the way can read the files and the client's key`,
  );
}

/** The WebSocket behind a server's address, or null if it is no such address. */
function endpointOf(text: string): URL | null {
  const url = URL.parse(text);
  if (!url || !/^(?:http|ws)s?:$/.test(url.protocol)) return null;
  if (url.username || url.password || url.search || url.hash) return null;
  url.protocol = url.protocol.replace("http", "ws");
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/ws`;
  return url;
}

function readRoots(
  settings: ClientSettings,
  id: string,
  exists: (path: string) => boolean,
): string[] {
  const roots = settings.readList("CLIENT_ROOTS", delimiter);
  if (roots.length > 0) return roots;
  const fallback = `./test-files/${id}`;
  if (exists(fallback)) return [fallback];
  throw new UsageError(
    `no folder to serve: pass --root FOLDER or set CLIENT_ROOTS, as there is no "${fallback}"`,
  );
}

function readTls(settings: ClientSettings): ClientTls {
  const ca = settings.readOptional("TLS_CA", READABLE_FILE);
  const cert = settings.readOptional("TLS_CLIENT_CERT", READABLE_FILE);
  const key = settings.readOptional("TLS_CLIENT_KEY", READABLE_FILE);
  const pins = settings.readList("TLS_PIN", ",");
  const wrong = pins.find((pin) => !PIN_PATTERN.test(pin));
  if (wrong !== undefined) {
    throw new UsageError(
      `TLS_PIN is "${wrong}", expected "sha256//" and the base64 of the SHA-256 of a public key`,
    );
  }
  if ((cert === null) === (key === null)) return { ca, pins, cert, key };
  const missing = cert === null ? "TLS_CLIENT_CERT" : "TLS_CLIENT_KEY";
  throw new UsageError(`${missing} is missing, set TLS_CLIENT_CERT and TLS_CLIENT_KEY together`);
}
