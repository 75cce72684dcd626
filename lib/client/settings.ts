import { delimiter } from "node:path";
import * as z from "zod";
import { ClientId, MAX_CHUNK_SIZE, MIN_CHUNK_SIZE } from "../protocol/messages.ts";
import {
  DURATION,
  either,
  type Kind,
  rates,
  READABLE_FILE,
  size,
  SWITCH,
  TEXT,
  TOKEN,
} from "../util/kinds.ts";
import { LOG_SETTINGS } from "../util/log-settings.ts";
import type { SettingTable } from "../util/settings.ts";
import { isTimeZone } from "../util/time-zone.ts";
import { PIN_PATTERN } from "./server-identity.ts";

/**
 * Lowest rate limit that may be set, in bytes a second. While other downloads wait, the server cancels a
 * slower one.
 */
const MIN_RATE_LIMIT = 16 * 1024;

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

const PIN: Kind<string> = {
  schema: z.string().regex(PIN_PATTERN),
  expected: '"sha256//" and the base64 of the SHA-256 of a public key',
};

/**
 * The client's settings. Sizes are in bytes, times in ms. A setting without a value and without a default is
 * null, or an empty list.
 */
export const CLIENT_SETTINGS = {
  id: {
    variable: "CLIENT_ID",
    flag: "id",
    kind: ID,
    isRequired: true,
    help: "the name of this client, such as restaurant-001; required",
  },
  serverUrl: {
    variable: "SERVER_URL",
    flag: "server",
    kind: ENDPOINT,
    default: "http://localhost:8080",
    help: "the server's address: http, https, ws or wss",
  },
  roots: {
    variable: "CLIENT_ROOTS",
    flag: "root",
    kind: TEXT,
    separator: delimiter,
    help: `folder that may be read; in the variable, a list separated by "${delimiter}" (default: ./test-files/<id>, if it is there)`,
  },
  chunkSize: {
    variable: "CHUNK_SIZE",
    flag: "chunk-size",
    kind: size(MIN_CHUNK_SIZE, MAX_CHUNK_SIZE),
    default: "1MiB",
    help: "most bytes in one frame, 4KiB to 8MiB; the smaller of the two sides counts",
  },
  allow: {
    variable: "CLIENT_ALLOW",
    flag: "allow",
    kind: TEXT,
    separator: delimiter,
    help: `pattern of files that may leave, such as "logs" or "*.csv", in the variable, a list separated by "${delimiter}" (default: all but hidden files and keys, which must be named: --allow .env)`,
  },
  deny: {
    variable: "CLIENT_DENY",
    flag: "deny",
    kind: TEXT,
    separator: delimiter,
    help: "pattern of files that may not leave, whatever is allowed",
  },
  mayBrowse: {
    variable: "CLIENT_BROWSE",
    flag: "no-browse",
    kind: either("on", "off"),
    isSwitch: true,
    switchValue: "off",
    default: "on",
    help: "on: operators may list the names of files that may leave, and pull folders and patterns; off: only files that they name",
  },
  maxBytesPerDay: {
    variable: "MAX_BYTES_PER_DAY",
    flag: "max-bytes-per-day",
    kind: size(1),
    help: "most bytes of files that leave in a day, by the clock here, such as 5GiB (default: no limit)",
  },
  rateLimit: {
    variable: "RATE_LIMIT",
    flag: "rate-limit",
    kind: rates(MIN_RATE_LIMIT),
    help: "most bytes a second to send, over all downloads, such as 2MiB, or by the hour of the site, such as 256KiB@08:00-22:00,off: the first rule that fits counts, off is no limit (default: no limit)",
  },
  compress: {
    variable: "COMPRESSION",
    kind: either("auto", "off"),
    default: "auto",
    help: "auto: frames are compressed where that saves time; off: never",
  },
  timeZone: {
    variable: "CLIENT_TIME_ZONE",
    kind: TIME_ZONE,
    help: "the site's time zone, such as Europe/Berlin (default: this machine's)",
  },
  stateDir: {
    variable: "CLIENT_STATE_DIR",
    flag: "state-dir",
    kind: TEXT,
    help: "folder of this client's key and of its record of requests (default: ./.client-state/<id>)",
  },
  keyMaxAge: {
    variable: "KEY_MAX_AGE",
    flag: "key-max-age",
    kind: DURATION,
    default: "90d",
    help: "an older key is replaced by a new one when the client connects, such as 30d or 12h",
  },
  enrolToken: {
    variable: "ENROLL_TOKEN",
    kind: TOKEN,
    secret: true,
    help: "token that a new client sends once: the server's ENROLL_TOKEN, or an enrolment key",
  },
  tlsCa: {
    variable: "TLS_CA",
    kind: READABLE_FILE,
    help: "PEM file of the CA of the server's certificate",
  },
  tlsPins: {
    variable: "TLS_PIN",
    separator: ",",
    kind: PIN,
    help: 'list of public keys, one of which must be the server\'s, as "sha256//…" (curl --pinnedpubkey)',
  },
  isInsecure: {
    variable: "INSECURE",
    flag: "insecure",
    kind: SWITCH,
    isSwitch: true,
    default: "false",
    help: "true: connect without TLS to a server that is not on this machine",
  },
  tlsCert: {
    variable: "TLS_CLIENT_CERT",
    kind: READABLE_FILE,
    help: "PEM file of this client's certificate; needs TLS_CLIENT_KEY",
  },
  tlsKey: { variable: "TLS_CLIENT_KEY", kind: READABLE_FILE, help: "PEM file of its private key" },
  httpsProxy: {
    variable: "HTTPS_PROXY",
    kind: TEXT,
    help: "URL of the proxy to an https or wss server that is not on this machine",
  },
  httpProxy: {
    variable: "HTTP_PROXY",
    kind: TEXT,
    help: "URL of the proxy to an http or ws server that is not on this machine",
  },
  noProxy: {
    variable: "NO_PROXY",
    kind: TEXT,
    help: "list of hosts, .domains and host:port to reach without it, or *",
  },
  ...LOG_SETTINGS,
} satisfies SettingTable;

/** Returns the WebSocket URL for a server's address; null if the address is invalid. */
function endpointOf(text: string): URL | null {
  const url = URL.parse(text);
  if (!url || !/^(?:http|ws)s?:$/.test(url.protocol)) return null;
  if (url.username || url.password || url.search || url.hash) return null;
  url.protocol = url.protocol.replace("http", "ws");
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/ws`;
  return url;
}
