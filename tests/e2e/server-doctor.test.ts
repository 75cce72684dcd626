import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROWS_IN_A_FILE } from "../support/backend.ts";
import { Authority, openssl } from "../support/certificates.ts";
import { type Diagnosis, diagnose } from "../support/doctor.ts";
import { HandmadeServer } from "../support/handmade-server.ts";
import { lacksRights, makeClosedFolder, withLessRights } from "../support/less-rights.ts";
import { lacksFaketime } from "../support/machine.ts";
import { NO_DATABASES, startDatabases } from "../support/postgres.ts";
import { API_TOKEN, ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { WallClock } from "../support/wall-clock.ts";

setDefaultTimeout(TEST_LIMIT);

/* Findings of `server doctor` for a healthy server, and for each kind of broken server. */

const DAY_MS = 86_400_000;
const SECRET = "a-secret-of-the-database";

let system: System;

beforeAll(async () => {
  system = await System.start(ROWS_IN_A_FILE);
  await system.startClient();
});
afterAll(() => system?.[Symbol.asyncDispose]());

interface SetUp {
  flags?: string[];
  env?: Record<string, string>;
  wrapper?: string[];
}

async function ask({ flags = [], env = {}, wrapper = [] }: SetUp = {}): Promise<Diagnosis> {
  const found = await diagnose({
    program: "server.ts",
    folder: system.folder,
    flags: ["--downloads-dir", "downloads", "--port", String(system.port), ...flags],
    env: { API_TOKEN, ENROLL_TOKEN, ...env },
    wrapper,
  });
  for (const secret of [API_TOKEN, ENROLL_TOKEN, SECRET]) expect(found.text).not.toContain(secret);
  return found;
}

/** Expects that the doctor finds this check wrong, and no other one. */
async function expectWrong(setUp: SetUp, name: string, words: RegExp): Promise<Diagnosis> {
  const found = await ask(setUp);
  expect(found.wrong).toEqual({ [name]: expect.stringMatching(words) });
  expect(found.exitCode).toBe(1);
  return found;
}

test("a server that runs is well", async () => {
  const { exitCode, text, wrong } = await ask();
  expect([exitCode, wrong]).toEqual([0, {}]);
  expect(text).toContain("✓ port           the server runs, version");
  expect(text).toContain("; sites connected: 1, downloads under way: 0");
  expect(text).toContain("✓ sites          1, each seen within a day");
});

test("settings that are wrong are all that is told", () =>
  expectWrong({ env: { QUOTA: "much" } }, "settings", /QUOTA is "much", expected a size/));

describe("what is wrong with the service", () => {
  test("it does not run", async () => {
    const server = await HandmadeServer.listen(() => {});
    const port = new URL(server.url).port;
    await server[Symbol.asyncDispose]();
    const words = /does not run: nobody listens on port \d+ → start it: bun run server/;
    const { statuses } = await expectWrong({ flags: ["--port", port] }, "port", words);
    expect(statuses["sites"]).toBe("not_tried");
  });

  test("another program has its port", async () => {
    await using other = await HandmadeServer.listen((socket) =>
      socket.end("HTTP/1.1 200 OK\r\n\r\n"),
    );
    const { port } = new URL(other.url);
    await expectWrong({ flags: ["--port", port] }, "port", /another program listens .* → stop the/);
  });

  test("it was started with another token", () =>
    expectWrong(
      { env: { API_TOKEN: "another-token-of-ours" } },
      "sites",
      /does not take this API_TOKEN \(401\)/,
    ));

  test("a site was not seen for a day", async () => {
    await using away = await system.startClient({ id: "away" });
    using database = new Database(system.databaseFile);
    database.run("PRAGMA busy_timeout = 10000");
    const seen = database.query<{ at: number }, []>(
      "SELECT last_seen_at AS at FROM clients WHERE client_id = 'away'",
    );
    const before = seen.get()!.at;
    away.signal("SIGTERM");
    await away.ended();
    // Waits until the server has recorded when the client left. Later, this record would overwrite the time
    // that the test sets.
    await waitFor(() => seen.get()!.at > before, "the server to see that it left");
    const time = Date.now() - 3 * DAY_MS;
    database.run("UPDATE clients SET last_seen_at = ? WHERE client_id = 'away'", [time]);
    await expectWrong(
      {},
      "sites",
      /not seen for a day: away \(\d{4}-\d\d-\d\d\) → on a site's machine/,
    );
    await system.api.revokeClient("away");
    expect((await ask()).wrong).toEqual({});
  });
});

describe("what is wrong with what it keeps", () => {
  test("too little room", () =>
    expectWrong({ env: { MIN_FREE_DISK: "1000000GiB" } }, "room", /keeps 976.6 TiB → no file/));

  test.skipIf(lacksRights !== "")(`a folder of another user${lacksRights}`, async () => {
    await makeClosedFolder(join(system.folder, "others"));
    const flags = ["--downloads-dir", "others"];
    const database = join(system.folder, "downloads/.server/state.db");
    const env = { DATABASE_URL: `sqlite://${database}` };
    const words = /cannot write in ".*others" \(EACCES\) → give the folder/;
    await expectWrong({ flags, env, wrapper: withLessRights }, "folder", words);
    await rm(join(system.folder, "others"), { recursive: true });
  });

  test("a file of secrets that everybody may read", async () => {
    const file = join(system.folder, "server.conf");
    await writeFile(file, `API_TOKEN=${API_TOKEN}\n`);
    await chmod(file, 0o644);
    const words = /everybody .* can read the secret in ".*server.conf"/;
    await expectWrong({ flags: ["--config", file] }, "folder", words);
  });

  test("a database that is none, and one of a newer program", async () => {
    const file = join(system.folder, "other.db");
    const env = { DATABASE_URL: `sqlite://${file}` };
    await writeFile(file, "no database at all, whatever its name says");
    await expectWrong({ env }, "database", /other.db" cannot be used: it is not a database/);
    await rm(file);
    using newer = new Database(file);
    newer.run("CREATE TABLE schema_version (version BIGINT, applied_at BIGINT)");
    newer.run("INSERT INTO schema_version VALUES (9999, 0)");
    await expectWrong(
      { env },
      "database",
      /start the newer program that made it, it has version 9999/,
    );
  });

  test("nothing, where all of it is still to be made", async () => {
    const { wrong, statuses } = await ask({ flags: ["--downloads-dir", "none-yet"] });
    expect(wrong).toEqual({});
    expect(statuses).toMatchObject({ folder: "not_needed", database: "not_needed" });
    expect(await Bun.file(join(system.folder, "none-yet/.server/state.db")).exists()).toBe(false);
  });

  test("a bucket that is away", async () => {
    const s3 = { STORAGE_URL: "s3://files", S3_ENDPOINT: "http://127.0.0.1:1" };
    const env = { ...s3, AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: SECRET };
    await expectWrong({ env }, "room", /cannot use the bucket: S3/);
  });

  test.skipIf(NO_DATABASES !== "")(`a Postgres that is away${NO_DATABASES}`, async () => {
    const env = { DATABASE_URL: `postgres://fds:${SECRET}@127.0.0.1:1/fds` };
    await expectWrong({ env }, "database", /./);
  });

  test.skipIf(NO_DATABASES + lacksFaketime !== "")(
    `a clock that is not the database's${NO_DATABASES}${lacksFaketime}`,
    async () => {
      await using postgres = await startDatabases();
      const env = { DATABASE_URL: await postgres.makeDatabase() };
      const { wrong, statuses } = await ask({ env });
      expect(wrong).toEqual({});
      expect(statuses).toMatchObject({ database: "not_needed", clock: "ok" });
      const clock = new WallClock(system.folder, "doctor");
      clock.set(1 / 24);
      const moved = { env: { ...env, ...clock.env } };
      // The clock is 3600 s ahead, and the measurement may add some seconds.
      await expectWrong(moved, "clock", /36[0-2]\d s ahead of the database's → let both/);
    },
  );
});

const NO_OPENSSL = openssl.isThere ? "" : ` (${openssl.hint})`;
describe.skipIf(!openssl.isThere)(`what is wrong with the certificate${NO_OPENSSL}`, () => {
  let authority: Authority;

  beforeAll(async () => {
    await mkdir(join(system.folder, "pem"));
    authority = await Authority.make(join(system.folder, "pem"), "authority");
  });

  test("it ends soon", async () => {
    const { cert, key } = await authority.sign("short", "serverAuth");
    await using server = await System.start(
      { TLS_CERT: cert, TLS_KEY: key },
      { tls: { ca: authority.cert } },
    );
    const env = { TLS_CERT: cert, TLS_KEY: key };
    const setUp = { env, flags: ["--port", String(server.port)] };
    const words = /for DNS:localhost, .* signed by CN=authority, until .*, in 1 days → renew it/;
    // The server on this port runs with the same certificate, so only its lifetime is wrong.
    await expectWrong(setUp, "certificate", words);
  });

  test("the server that runs has another one", async () => {
    const [old, renewed] = [
      await authority.sign("old", "serverAuth"),
      await authority.sign("renewed", "serverAuth"),
    ];
    const settings = { TLS_CERT: old.cert, TLS_KEY: old.key };
    await using server = await System.start(settings, { tls: { ca: authority.cert } });
    const env = { TLS_CERT: renewed.cert, TLS_KEY: renewed.key };
    const { wrong } = await ask({ env, flags: ["--port", String(server.port)] });
    expect(wrong["port"]).toMatch(/shows another certificate than TLS_CERT → .* SIGHUP/);
  });

  test("it is without its key", async () => {
    const [one, other] = [
      await authority.sign("one", "serverAuth"),
      await authority.sign("other", "serverAuth"),
    ];
    const env = { TLS_CERT: one.cert, TLS_KEY: other.key };
    const { wrong } = await ask({ env });
    expect(wrong["certificate"]).toMatch(/check the PEM files .*one.crt.*other.key/);
  });
});
