import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { readServerConfig, SERVER_HELP, type ServerConfig } from "../../lib/server/config.ts";
import { mistake, useCertificate } from "../support/server-config.ts";

useCertificate();

const MIB = 1024 * 1024;

const DEFAULTS: ServerConfig = {
  host: "127.0.0.1",
  port: 8080,
  downloadsDir: "./downloads",
  databaseUrl: `sqlite://${join("downloads", ".server", "state.db")}`,
  rowsFolder: null,
  isShared: false,
  storage: { type: "folder", path: "./downloads", memory: 0 },
  apiToken: null,
  enrolToken: null,
  chunkSize: MIB,
  maxActiveDownloads: 32,
  maxActiveDownloadsPerClient: 2,
  receiveBudget: 128 * MIB,
  minFreeDisk: 256 * MIB,
  keepDays: null,
  quotas: { file: null, perClient: null, total: null },
  trustedProxies: [],
  requestRate: 500,
  maxConnectionsPerAddress: 20_000,
  webhookAllow: null,
  offlineAfter: 900_000,
  tls: null,
  auditKeep: 90 * 86_400_000,
  auditMaxSize: 256 * MIB,
  deliveriesKeep: 400 * 86_400_000,
  logLevel: "info",
  logFormat: "json",
};

test("the defaults are the contract's", () => {
  expect(readServerConfig([], {}, false)).toEqual(DEFAULTS);
  expect(readServerConfig([], {}, true)).toEqual({ ...DEFAULTS, logFormat: "pretty" });
});

describe("each setting is read:", () => {
  test.each<[string[], Record<string, string>, Partial<ServerConfig>]>([
    [[], { SERVER_HOST: "localhost" }, { host: "localhost" }],
    [[], { SERVER_HOST: "127.1.2.3" }, { host: "127.1.2.3" }],
    [["--host", "::1"], { SERVER_HOST: "127.0.0.1" }, { host: "::1" }],
    [[], { SERVER_PORT: "0" }, { port: 0 }],
    [["--port=65535"], { SERVER_PORT: "1" }, { port: 65_535 }],
    [[], { SERVER_PORT: "" }, { port: 8080 }],
    [
      ["--downloads-dir", "/data"],
      { DOWNLOADS_DIR: "/other" },
      {
        downloadsDir: "/data",
        databaseUrl: `sqlite://${join("/data", ".server", "state.db")}`,
        storage: { type: "folder", path: "/data", memory: 0 },
      },
    ],
    [[], { DATABASE_URL: "sqlite:///a.db" }, { databaseUrl: "sqlite:///a.db" }],
    [[], { API_TOKEN: "a" }, { apiToken: "a" }],
    [[], { ENROLL_TOKEN: "~!e" }, { enrolToken: "~!e" }],
    [[], { API_TOKEN: "", ENROLL_TOKEN: "" }, {}],
    [[], { CHUNK_SIZE: "4KiB" }, { chunkSize: 4096 }],
    [[], { CHUNK_SIZE: "8388608" }, { chunkSize: 8 * MIB }],
    [[], { MAX_ACTIVE_DOWNLOADS: "1" }, { maxActiveDownloads: 1 }],
    [[], { MAX_ACTIVE_DOWNLOADS_PER_CLIENT: "7" }, { maxActiveDownloadsPerClient: 7 }],
    [
      [],
      { RECEIVE_BUDGET: "2MiB", CHUNK_SIZE: "2MiB" },
      { receiveBudget: 2 * MIB, chunkSize: 2 * MIB },
    ],
    [[], { MIN_FREE_DISK: "0" }, { minFreeDisk: 0 }],
    [
      [],
      { MAX_FILE_SIZE: "1GiB", QUOTA_PER_CLIENT: "2GiB", QUOTA: "3GiB" },
      { quotas: { file: 1024 * MIB, perClient: 2048 * MIB, total: 3072 * MIB } },
    ],
    [
      [],
      { TRUSTED_PROXIES: "10.0.0.0/8, ::1,192.0.2.7" },
      { trustedProxies: ["10.0.0.0/8", "::1", "192.0.2.7"] },
    ],
    [
      [],
      { REQUEST_RATE: "9", MAX_CONNECTIONS_PER_ADDRESS: "8" },
      { requestRate: 9, maxConnectionsPerAddress: 8 },
    ],
    [[], { MIN_FREE_DISK: "1.5GiB" }, { minFreeDisk: 1536 * MIB }],
    [[], { LOG_LEVEL: "debug" }, { logLevel: "debug" }],
    [[], { LOG_FORMAT: "pretty" }, { logFormat: "pretty" }],
  ])("%j %j", (argv, env, expected) => {
    expect(readServerConfig(argv, env, false)).toEqual({ ...DEFAULTS, ...expected });
  });
});

describe("each mistake is named:", () => {
  test.each<[string[], Record<string, string>, string]>([
    [["--port", "65536"], {}, '--port is "65536", expected a whole number from 0 to 65535'],
    [[], { SERVER_PORT: "-1" }, 'SERVER_PORT is "-1", expected a whole number from 0 to 65535'],
    [[], { SERVER_PORT: "80x" }, 'SERVER_PORT is "80x", expected'],
    [["--port", ""], {}, '--port is "", expected'],
    [["--downloads-dir="], {}, '--downloads-dir is "", expected a text that is not empty'],
    [
      [],
      { CHUNK_SIZE: "4095" },
      'CHUNK_SIZE is "4095", expected a size from 4.0 KiB to 8.0 MiB, in bytes or such as "1MiB"',
    ],
    [[], { CHUNK_SIZE: "8388609" }, 'CHUNK_SIZE is "8388609", expected'],
    [[], { CHUNK_SIZE: "big" }, 'CHUNK_SIZE is "big", expected'],
    [[], { MAX_ACTIVE_DOWNLOADS: "0" }, 'MAX_ACTIVE_DOWNLOADS is "0", expected'],
    [[], { MAX_ACTIVE_DOWNLOADS_PER_CLIENT: "1.5" }, 'MAX_ACTIVE_DOWNLOADS_PER_CLIENT is "1.5"'],
    [[], { MAX_ACTIVE_DOWNLOADS_PER_CLIENT: "65" }, 'MAX_ACTIVE_DOWNLOADS_PER_CLIENT is "65"'],
    [
      [],
      { RECEIVE_BUDGET: "1MiB", CHUNK_SIZE: "2MiB" },
      'RECEIVE_BUDGET is "1MiB", expected a size of at least 2.0 MiB',
    ],
    [[], { MIN_FREE_DISK: "-1" }, 'MIN_FREE_DISK is "-1", expected a size of at least 0 B'],
    [[], { LOG_LEVEL: "loud" }, 'LOG_LEVEL is "loud", expected one of debug, info, warn, error'],
    [[], { LOG_FORMAT: "xml" }, 'LOG_FORMAT is "xml", expected one of pretty, json'],
    [[], { TRUSTED_PROXIES: "10.0.0.0/33" }, 'TRUSTED_PROXIES is "10.0.0.0/33", expected'],
    [
      [],
      { TRUSTED_PROXIES: "proxy" },
      'TRUSTED_PROXIES is "proxy", expected addresses and networks',
    ],
    [[], { REQUEST_RATE: "0" }, 'REQUEST_RATE is "0", expected a whole number from 1'],
    [[], { QUOTA: "0" }, 'QUOTA is "0", expected a size of at least 1 B'],
    [[], { TLS_CERT: "none.pem" }, 'TLS_CERT is "none.pem", expected the path of a file'],
    [["--nonsense"], {}, 'unknown flag "--nonsense", expected one of --help --host --port'],
    [["word"], {}, 'unexpected word "word"'],
    [["--host", "--port", "1"], {}, 'flag "--host" has no value'],
  ])("%j %j", (argv, env, expected) => {
    const message = mistake(argv, env);
    expect(message).toStartWith(expected);
    expect(message).not.toContain("\n");
  });
});

describe("where files are kept:", () => {
  const KEYS = { AWS_ACCESS_KEY_ID: "me", AWS_SECRET_ACCESS_KEY: "hunter2" };
  const read = (env: Record<string, string>) => {
    const { storage, rowsFolder, receiveBudget } = readServerConfig([], env, false) as ServerConfig;
    return { storage, rowsFolder, receiveBudget };
  };

  test("in another folder than the rows", () => {
    const { storage, rowsFolder } = read({ STORAGE_URL: "/files" });
    expect(storage).toEqual({ type: "folder", path: "/files", memory: 0 });
    expect(rowsFolder).toBe("./downloads");
    expect(read({ STORAGE_URL: "downloads" }).rowsFolder).toBeNull();
  });

  test("in S3, with half of the memory", () => {
    const found = read({
      ...KEYS,
      STORAGE_URL: "s3://my.bucket/some/where",
      S3_ENDPOINT: "http://127.0.0.1:9000",
      S3_REGION: "eu-1",
      DATABASE_URL: "sqlite:///a.db",
    });
    expect(found).toEqual({
      storage: {
        type: "s3",
        endpoint: "http://127.0.0.1:9000",
        region: "eu-1",
        bucket: "my.bucket",
        prefix: "some/where/",
        accessKeyId: "me",
        secretAccessKey: "hunter2",
        memory: 64 * MIB,
      },
      rowsFolder: null,
      receiveBudget: 64 * MIB,
    });
  });

  test("in Amazon's S3 where nothing else is said", () => {
    const { storage, rowsFolder } = read({ ...KEYS, STORAGE_URL: "s3://bucket" });
    expect(storage).toMatchObject({
      endpoint: "https://s3.us-east-1.amazonaws.com",
      region: "us-east-1",
      prefix: "",
    });
    expect(rowsFolder).toBe("./downloads");
  });

  test.each([
    [{ STORAGE_URL: "s3://b" }, /^STORAGE_URL is "s3:\/\/b"/],
    [{ STORAGE_URL: "s3://bucket/a?b" }, /^STORAGE_URL is/],
    [{ STORAGE_URL: "s3://bucket/a/../b" }, /^STORAGE_URL is/],
    [{ STORAGE_URL: `s3://bucket/${"a".repeat(70)}` }, /^STORAGE_URL is/],
    [{ STORAGE_URL: "gs://bucket" }, /^STORAGE_URL is/],
    [{ STORAGE_URL: "s3://bucket", AWS_ACCESS_KEY_ID: "" }, /^AWS_ACCESS_KEY_ID is missing/],
    [
      { STORAGE_URL: "s3://bucket", AWS_SECRET_ACCESS_KEY: "" },
      /^AWS_SECRET_ACCESS_KEY is missing/,
    ],
    [{ STORAGE_URL: "s3://bucket", S3_ENDPOINT: "me:hunter2@host" }, /^S3_ENDPOINT is/],
    [{ STORAGE_URL: "s3://bucket", S3_REGION: "a b" }, /^S3_REGION is/],
  ])("nowhere: %p", (env, message) => {
    expect(mistake([], { ...KEYS, ...env })).toMatch(message);
  });
});

describe("help", () => {
  test.each([["--help"], ["-h"]])("is asked for with %s, whatever else is wrong", (flag) => {
    expect(readServerConfig([flag], { SERVER_PORT: "x" }, false)).toBe("help");
  });

  test.each([
    "--host, SERVER_HOST",
    "--port, SERVER_PORT",
    "--downloads-dir, DOWNLOADS_DIR",
    "DATABASE_URL",
    "STORAGE_URL",
    "S3_ENDPOINT",
    "S3_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "API_TOKEN",
    "ENROLL_TOKEN",
    "CHUNK_SIZE",
    "MAX_ACTIVE_DOWNLOADS",
    "MAX_ACTIVE_DOWNLOADS_PER_CLIENT",
    "RECEIVE_BUDGET",
    "MIN_FREE_DISK",
    "MAX_FILE_SIZE",
    "QUOTA_PER_CLIENT",
    "QUOTA",
    "REQUEST_RATE",
    "MAX_CONNECTIONS_PER_ADDRESS",
    "TRUSTED_PROXIES",
    "TLS_CERT",
    "TLS_KEY",
    "TLS_CLIENT_CA",
    "LOG_LEVEL",
    "LOG_FORMAT",
  ])("names %s", (line) => {
    expect(SERVER_HELP.split("\n")).toContain(`  ${line}`);
  });

  test("shows the defaults", () => {
    for (const text of ["127.0.0.1", "8080", "./downloads", "1MiB", "32", "2", "128MiB", "info"]) {
      expect(SERVER_HELP).toContain(`(default: ${text})`);
    }
  });
});
