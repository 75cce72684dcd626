import { isIP } from "node:net";
import * as z from "zod";
import { MAX_CHUNK_SIZE, MAX_STREAMS, MIN_CHUNK_SIZE } from "../protocol/messages.ts";
import { LOG_SETTINGS } from "../util/log-settings.ts";
import {
  DURATION,
  type Kind,
  READABLE_FILE,
  size,
  TEXT,
  TOKEN,
  wholeNumber,
} from "../util/kinds.ts";
import { type SettingTable } from "../util/settings.ts";
import { isNetwork } from "./access/remote-address.ts";

/** Fewest characters of a token if other machines can reach the server. Setup makes longer tokens. */
export const MIN_TOKEN_LENGTH = 16;

/** Smallest allowed size of the audit, in bytes. An audit of this size holds thousands of rows. */
const MIN_AUDIT_SIZE = 1024 * 1024;

const MAX_DOWNLOADS = 100_000;

export const HOST: Kind<string> = {
  schema: z
    .string()
    .refine((text) => isIP(text) !== 0 || /^[a-z0-9_](?:[a-z0-9_.-]{0,252})$/i.test(text)),
  expected: 'an address such as "0.0.0.0"',
};

const NETWORKS: Kind<string[]> = {
  schema: z
    .string()
    .transform((text) => text.split(/[\s,]+/).filter(Boolean))
    .refine((list) => list.every(isNetwork)),
  expected: 'addresses and networks such as "10.0.0.0/8,::1"',
};

const DESTINATIONS: Kind<string[]> = {
  schema: z
    .string()
    .transform((text) => text.split(/[\s,]+/).filter(Boolean))
    .refine((list) => list.every((entry) => isNetwork(entry) || isHostName(entry))),
  expected: 'hosts, addresses and networks such as "hooks.internal,10.1.0.0/16"',
};

function isHostName(text: string): boolean {
  return /^[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_-]{1,63})*$/i.test(text) && text.length <= 253;
}

const ENDPOINT: Kind<string> = {
  schema: z.url({ protocol: /^https?$/ }).refine((text) => {
    const { username, search, hash } = new URL(text);
    return username === "" && search === "" && hash === "";
  }),
  expected: 'a URL such as "https://s3.example.com"',
};

const REGION: Kind<string> = {
  schema: z.string().regex(/^[a-z0-9-]{1,64}$/),
  expected: 'a region such as "eu-central-1"',
};

/**
 * The server's settings. Sizes are in bytes, times in ms. A setting that has no default and is not given is
 * null.
 */
export const SERVER_SETTINGS = {
  host: {
    variable: "SERVER_HOST",
    flag: "host",
    kind: HOST,
    default: "127.0.0.1",
    help: `address to listen on; one that is not loopback needs API_TOKEN and ENROLL_TOKEN, of ${MIN_TOKEN_LENGTH} characters and more`,
  },
  port: {
    variable: "SERVER_PORT",
    flag: "port",
    kind: wholeNumber(0, 65_535),
    default: "8080",
    help: "port to listen on, 0 for any free one",
  },
  downloadsDir: {
    variable: "DOWNLOADS_DIR",
    flag: "downloads-dir",
    kind: TEXT,
    default: "./downloads",
    help: "folder that the files are saved in",
  },
  databaseUrl: {
    variable: "DATABASE_URL",
    kind: TEXT,
    secret: true,
    help: "database of the records: sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME (default: sqlite://<DOWNLOADS_DIR>/.server/state.db)",
  },
  storageUrl: {
    variable: "STORAGE_URL",
    kind: TEXT,
    help: "where files are kept: a folder, or s3://BUCKET/PREFIX (default: DOWNLOADS_DIR)",
  },
  s3Endpoint: {
    variable: "S3_ENDPOINT",
    kind: ENDPOINT,
    help: "address of an S3 that is not Amazon's, such as http://127.0.0.1:9000",
  },
  s3Region: {
    variable: "S3_REGION",
    kind: REGION,
    default: "us-east-1",
    help: "region of the bucket",
  },
  accessKeyId: {
    variable: "AWS_ACCESS_KEY_ID",
    kind: TOKEN,
    help: "access key for S3",
  },
  secretAccessKey: {
    variable: "AWS_SECRET_ACCESS_KEY",
    kind: TOKEN,
    secret: true,
    help: "its secret, which signs the requests to S3",
  },
  apiToken: {
    variable: "API_TOKEN",
    kind: TOKEN,
    secret: true,
    help: "token that every call of the API must send",
  },
  enrolToken: {
    variable: "ENROLL_TOKEN",
    kind: TOKEN,
    secret: true,
    help: "token that a new client must send once",
  },
  chunkSize: {
    variable: "CHUNK_SIZE",
    kind: size(MIN_CHUNK_SIZE, MAX_CHUNK_SIZE),
    default: "1MiB",
    help: "most bytes in one frame, 4KiB to 8MiB",
  },
  maxActiveDownloads: {
    variable: "MAX_ACTIVE_DOWNLOADS",
    kind: wholeNumber(1, MAX_DOWNLOADS),
    default: "32",
    help: "most downloads at once, the others wait",
  },
  maxActiveDownloadsPerClient: {
    variable: "MAX_ACTIVE_DOWNLOADS_PER_CLIENT",
    kind: wholeNumber(1, MAX_STREAMS),
    default: "2",
    help: `the same for each client, at most ${MAX_STREAMS}`,
  },
  receiveBudget: {
    variable: "RECEIVE_BUDGET",
    kind: size(MIN_CHUNK_SIZE),
    default: "128MiB",
    help: "most bytes granted but not yet written, over all clients; at least CHUNK_SIZE",
  },
  minFreeDisk: {
    variable: "MIN_FREE_DISK",
    kind: size(0),
    default: "256MiB",
    help: "space on the disk that is left free",
  },
  maxFileSize: {
    variable: "MAX_FILE_SIZE",
    kind: size(1),
    help: "largest file that is accepted (default: no limit)",
  },
  quotaPerClient: {
    variable: "QUOTA_PER_CLIENT",
    kind: size(1),
    help: "most bytes of each client in DOWNLOADS_DIR; further downloads wait until some are removed (default: no limit)",
  },
  quota: {
    variable: "QUOTA",
    kind: size(1),
    help: "the same for all clients together (default: no limit)",
  },
  keepDays: {
    variable: "KEEP_DAYS",
    kind: wholeNumber(1, 36_500),
    help: "days after which files are removed that have no rule of a job or schedule (default: for ever)",
  },
  requestRate: {
    variable: "REQUEST_RATE",
    kind: wholeNumber(1, 1_000_000),
    default: "500",
    help: "most requests a second with one API token, or from an address without one",
  },
  maxConnectionsPerAddress: {
    variable: "MAX_CONNECTIONS_PER_ADDRESS",
    kind: wholeNumber(1, 1_000_000),
    default: "20000",
    help: "most clients from one address, which all behind one router share",
  },
  trustedProxies: {
    variable: "TRUSTED_PROXIES",
    kind: NETWORKS,
    help: 'list of reverse proxies whose X-Forwarded-For is believed, such as "10.0.0.0/8,::1"',
  },
  webhookAllow: {
    variable: "WEBHOOK_ALLOW",
    kind: DESTINATIONS,
    help: "list of hosts, addresses and networks that webhooks may lead to, besides the internet",
  },
  offlineAfter: {
    variable: "OFFLINE_AFTER",
    kind: DURATION,
    default: "15m",
    help: "time after which webhooks are told that a client is away",
  },
  tlsCert: {
    variable: "TLS_CERT",
    kind: READABLE_FILE,
    help: "PEM file of the server's certificate, for https; needs TLS_KEY",
  },
  tlsKey: { variable: "TLS_KEY", kind: READABLE_FILE, help: "PEM file of its private key" },
  tlsClientCa: {
    variable: "TLS_CLIENT_CA",
    kind: READABLE_FILE,
    help: "PEM file of the CA of the clients' certificates",
  },
  auditKeep: {
    variable: "AUDIT_KEEP",
    kind: DURATION,
    default: "90d",
    help: "how long the audit is kept, such as 90d",
  },
  auditMaxSize: {
    variable: "AUDIT_MAX_SIZE",
    kind: size(MIN_AUDIT_SIZE),
    default: "256MiB",
    help: "most bytes of the audit; beyond that the oldest rows are removed, those of strangers separately",
  },
  deliveriesKeep: {
    variable: "DELIVERIES_KEEP",
    kind: DURATION,
    default: "400d",
    help: "how long the deliveries of schedules are kept, such as 400d",
  },
  ...LOG_SETTINGS,
} satisfies SettingTable;
