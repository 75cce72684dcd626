import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemTimeZone } from "../../lib/util/time-zone.ts";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { CLIENT_HELP, type ClientConfig, readClientConfig } from "../../lib/client/config.ts";
import { UsageError } from "../../lib/util/flags.ts";

const ID = ["--id", "restaurant-001"];
const MIB = 1024 * 1024;
const NO_TLS = { ca: null, pins: [], cert: null, key: null };

const DEFAULTS: ClientConfig = {
  id: "restaurant-001",
  serverUrl: new URL("ws://localhost:8080/ws"),
  roots: ["./test-files/restaurant-001"],
  chunkSize: MIB,
  allow: [],
  deny: [],
  mayBrowse: true,
  maxBytesPerDay: null,
  rates: [],
  compress: true,
  enrolToken: null,
  timeZone: systemTimeZone(undefined),
  stateDir: "./.client-state/restaurant-001",
  keyMaxAge: 90 * 86_400_000,
  tls: NO_TLS,
  proxy: null,
  logLevel: "info",
  logFormat: "json",
};

let folder: string;
let pem: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-client-config-"));
  pem = join(folder, "file.pem");
  await writeFile(pem, "");
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function read(argv: string[], env: Record<string, string>): ClientConfig | "help" {
  return readClientConfig(argv, env, false, () => true);
}

function mistake(argv: string[], env: Record<string, string>, exists = true): string {
  try {
    readClientConfig(argv, env, false, () => exists);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return error instanceof Error ? error.message : "";
  }
  throw new Error("the settings were taken");
}

test("the defaults are the contract's", () => {
  expect(read(ID, {})).toEqual(DEFAULTS);
  expect(readClientConfig(ID, {}, true, () => true)).toEqual({ ...DEFAULTS, logFormat: "pretty" });
});

describe("each setting is read:", () => {
  test.each<[string[], Record<string, string>, Partial<ClientConfig>]>([
    [[], { CLIENT_ID: "restaurant-001" }, {}],
    [ID, { CLIENT_ID: "not this one" }, {}],
    [[], { SERVER_URL: "" }, {}],
    [[], { CHUNK_SIZE: "4096" }, { chunkSize: 4096 }],
    [["--chunk-size", "8MiB"], { CHUNK_SIZE: "4096" }, { chunkSize: 8 * MIB }],
    [["--rate-limit", "2MiB"], { RATE_LIMIT: "1MiB" }, { rates: [{ rate: 2 * MIB, hours: null }] }],
    [
      [],
      { RATE_LIMIT: "256KiB@08:00-22:00, off" },
      {
        rates: [
          { rate: MIB / 4, hours: { from: 480, to: 1320 } },
          { rate: null, hours: null },
        ],
      },
    ],
    [[], { CLIENT_ROOTS: "/a" }, { roots: ["/a"] }],
    [[], { CLIENT_ROOTS: ["/a", "b c", ""].join(delimiter) }, { roots: ["/a", "b c"] }],
    [[], { CLIENT_ROOTS: delimiter }, {}],
    [
      ["--root", "/x", `--root=/y${delimiter}z`],
      { CLIENT_ROOTS: "/a" },
      { roots: ["/x", `/y${delimiter}z`] },
    ],
    [[], { ENROLL_TOKEN: "enroll-secret" }, { enrolToken: "enroll-secret" }],
    [[], { CLIENT_STATE_DIR: "/state" }, { stateDir: "/state" }],
    [["--state-dir", "/flag"], { CLIENT_STATE_DIR: "/state" }, { stateDir: "/flag" }],
    [[], { HTTP_PROXY: "http://proxy:3128" }, { proxy: null }],
    [[], { LOG_LEVEL: "warn" }, { logLevel: "warn" }],
    [[], { LOG_FORMAT: "pretty" }, { logFormat: "pretty" }],
  ])("%j %j", (argv, env, expected) => {
    expect(read([...ID, ...argv], env)).toEqual({ ...DEFAULTS, ...expected });
  });

  test("the proxy on the way to the server", () => {
    const env = { SERVER_URL: "https://files.example.com", HTTPS_PROXY: "http://proxy:3128" };
    expect(read(ID, env)).toHaveProperty("proxy", "http://proxy:3128/");
    expect(read(ID, { ...env, NO_PROXY: "example.com" })).toHaveProperty("proxy", null);
    expect(read(ID, { ...env, SERVER_URL: "https://localhost" })).toHaveProperty("proxy", null);
  });

  test("the files of TLS", () => {
    expect(read(ID, { TLS_CA: pem })).toMatchObject({ tls: { ...NO_TLS, ca: pem } });
    expect(read(ID, { TLS_CLIENT_CERT: pem, TLS_CLIENT_KEY: pem })).toMatchObject({
      tls: { ca: null, cert: pem, key: pem },
    });
  });
});

test.each([
  ["http://localhost:8080", "ws://localhost:8080/ws"],
  ["https://files.example.com", "wss://files.example.com/ws"],
  ["ws://127.0.0.1:9000", "ws://127.0.0.1:9000/ws"],
  ["wss://[::1]:9000/", "wss://[::1]:9000/ws"],
  ["https://example.com:443/", "wss://example.com/ws"],
  ["HTTPS://Example.com/Base/Path", "wss://example.com/Base/Path/ws"],
  ["https://example.com/base//", "wss://example.com/base/ws"],
])("the server %s is reached at %s", (address, endpoint) => {
  expect(read(ID, { SERVER_URL: address })).toMatchObject({ serverUrl: new URL(endpoint) });
  const config = read([...ID, "--server", address], { SERVER_URL: "http://other" });
  expect(config === "help" ? config : config.serverUrl.href).toBe(endpoint);
});

describe("without TLS", () => {
  const FAR = ["http://10.0.0.1:9000", "ws://files.example.com", "http://localhost.example.com"];

  test.each(FAR)("%s is reached only by who wants that", (address) => {
    const env = { SERVER_URL: address };
    expect(() => read(ID, env)).toThrow(/^use https:\/\/ for the server .* or pass --insecure/);
    for (const wanted of [
      read([...ID, "--insecure"], env),
      read(ID, { ...env, INSECURE: "true" }),
      read([...ID, "--insecure"], { ...env, INSECURE: "false" }),
    ]) {
      expect(wanted).toHaveProperty("serverUrl.protocol", "ws:");
    }
  });

  test.each(["http://localhost", "http://127.9.9.9:1", "http://[::1]:8080"])(
    "%s is this machine",
    (address) => expect(read(ID, { SERVER_URL: address })).toHaveProperty("serverUrl"),
  );
});

test("the owner's rules are read as given", () => {
  const flags = ["--allow", "logs", "--allow", "*.csv", "--deny", "*.bak"];
  const limit = ["--max-bytes-per-day", "5GiB"];
  expect(read([...ID, ...flags, ...limit], {})).toMatchObject({
    allow: ["logs", "*.csv"],
    deny: ["*.bak"],
    maxBytesPerDay: 5 * 1024 * MIB,
  });
  const env = { CLIENT_ALLOW: ["logs", "{a,b}"].join(delimiter), CLIENT_DENY: "x" };
  expect(read(ID, env)).toMatchObject({ allow: ["logs", "{a,b}"], deny: ["x"] });
});

describe("each mistake is named:", () => {
  test.each<[string[], Record<string, string>, string]>([
    [[], {}, "CLIENT_ID is missing, pass --id or set CLIENT_ID, expected 1 to 64 letters"],
    [["--id", "-x"], {}, 'flag "--id" has no value'],
    [["--id=-x"], {}, '--id is "-x", expected 1 to 64 letters, digits'],
    [["--id", ".."], {}, '--id is "..", expected'],
    [["--id", "a/b"], {}, '--id is "a/b", expected'],
    [["--id", "a\n"], {}, '--id is "a\n", expected'],
    [[], { CLIENT_ID: "x".repeat(65) }, `CLIENT_ID is "${"x".repeat(65)}", expected`],
    [
      [...ID, "--server", "localhost:8080"],
      {},
      '--server is "localhost:8080", expected an address',
    ],
    [ID, { SERVER_URL: "ftp://example.com" }, 'SERVER_URL is "ftp://example.com", expected'],
    [ID, { SERVER_URL: "http://" }, 'SERVER_URL is "http://", expected'],
    [ID, { SERVER_URL: "http://a/?b=c" }, 'SERVER_URL is "http://a/?b=c", expected'],
    [ID, { SERVER_URL: "http://a/#b" }, 'SERVER_URL is "http://a/#b", expected'],
    [[...ID, "--chunk-size", "4095"], {}, '--chunk-size is "4095", expected a size from 4.0 KiB'],
    [[...ID, "--rate-limit", "1"], {}, '--rate-limit is "1", expected a size of at least 16.0 KiB'],
    [
      ID,
      { RATE_LIMIT: "256KiB@8-22,off" },
      'RATE_LIMIT is "256KiB@8-22,off", expected hours such as "08:00-22:00" or "22:00-06:00" behind the @ in rule 1, "256KiB@8-22"',
    ],
    [
      ID,
      { INSECURE: "maybe", SERVER_URL: "http://a" },
      'INSECURE is "maybe", expected true or false',
    ],
    [ID, { TLS_PIN: "sha256//x" }, 'TLS_PIN is "sha256//x", expected "sha256//" and the base64'],
    [ID, { MAX_BYTES_PER_DAY: "0" }, 'MAX_BYTES_PER_DAY is "0", expected a size of at least 1 B'],
    [ID, { CHUNK_SIZE: "9MiB" }, 'CHUNK_SIZE is "9MiB", expected'],
    [[...ID, "--root", "/a", "--root="], {}, '--root is "", expected a text that is not empty'],
    [[...ID, "--state-dir="], {}, '--state-dir is "", expected'],
    [ID, { TLS_CA: "none.pem" }, 'TLS_CA is "none.pem", expected the path of a file'],
    [ID, { LOG_LEVEL: "INFO" }, 'LOG_LEVEL is "INFO", expected one of debug, info, warn, error'],
    [ID, { LOG_FORMAT: "xml" }, 'LOG_FORMAT is "xml", expected one of pretty, json'],
    [[...ID, "--rate", "1"], {}, 'unknown flag "--rate", expected one of --help --id'],
    [["restaurant-001"], {}, 'unexpected word "restaurant-001"'],
  ])("%j %j", (argv, env, expected) => {
    expect(mistake(argv, env)).toStartWith(expected);
  });

  test("no root, where there are no test files either", () => {
    expect(mistake(ID, {}, false)).toBe(
      'no folder to serve: pass --root FOLDER or set CLIENT_ROOTS, as there is no "./test-files/restaurant-001"',
    );
  });

  test.each([
    ["TLS_CLIENT_CERT", "TLS_CLIENT_KEY"],
    ["TLS_CLIENT_KEY", "TLS_CLIENT_CERT"],
  ])("%s without %s", (given, missing) => {
    expect(mistake(ID, { [given]: pem })).toBe(
      `${missing} is missing, set TLS_CLIENT_CERT and TLS_CLIENT_KEY together`,
    );
  });
});

test("a secret is never repeated", () => {
  expect(mistake(ID, { ENROLL_TOKEN: "top secret" })).not.toContain("secret");
  for (const secret of ["http://user:secret@a", "https://secret@a/b"]) {
    expect(mistake(ID, { SERVER_URL: secret })).not.toContain("secret");
    expect(mistake([...ID, "--server", secret], {})).not.toContain("secret");
  }
});

describe("help", () => {
  test.each([["--help"], ["-h"]])("is asked for with %s, even without an id", (flag) => {
    expect(read([flag], { CHUNK_SIZE: "x" })).toBe("help");
  });

  test.each([
    "--id, CLIENT_ID",
    "--server, SERVER_URL",
    "--root (repeatable), CLIENT_ROOTS",
    "--chunk-size, CHUNK_SIZE",
    "--rate-limit, RATE_LIMIT",
    "--allow (repeatable), CLIENT_ALLOW",
    "--deny (repeatable), CLIENT_DENY",
    "--max-bytes-per-day, MAX_BYTES_PER_DAY",
    "--insecure, INSECURE",
    "TLS_PIN",
    "--state-dir, CLIENT_STATE_DIR",
    "ENROLL_TOKEN",
    "TLS_CA",
    "TLS_CLIENT_CERT",
    "TLS_CLIENT_KEY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "LOG_LEVEL",
    "LOG_FORMAT",
  ])("names %s", (line) => {
    expect(CLIENT_HELP.split("\n")).toContain(`  ${line}`);
  });
});
