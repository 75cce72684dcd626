import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiClient } from "../../lib/cli/rest/api-client.ts";
import { ApiCallError } from "../../lib/cli/rest/api-errors.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { Listener } from "../support/events.ts";
import { NO_POSTGRES, Postgres } from "../support/postgres.ts";
import { Proxy } from "../support/proxy.ts";
import { type Version, writeRandom } from "../support/sources.ts";
import { API_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* A server with its rows in Postgres, end to end, with real programs. */

const MiB = 1024 * 1024;
const SIZE = 16 * MiB;
const ADMIN = { Authorization: `Bearer ${API_TOKEN}` };

describe.skipIf(NO_POSTGRES !== "")(`on Postgres${NO_POSTGRES}`, () => {
  let postgres: Postgres;
  /** The proxy between the server and Postgres. */
  let way: CuttingProxy;
  let system: System;
  let wanted: Version;
  /** The proxy between the client and the server. */
  let network: Proxy;

  beforeAll(async () => {
    postgres = await Postgres.start();
    way = await CuttingProxy.start(postgres.port);
    const database = await postgres.makeDatabase();
    system = await System.start({
      DATABASE_URL: database.replace(`:${postgres.port}/`, `:${way.port}/`),
      RECEIVE_BUDGET: "4MiB",
    });
    network = await Proxy.listen(system.port);
    wanted = await writeRandom(system.source("file"), SIZE);
    await system.startClient({ server: network.url });
  });
  afterAll(async () => {
    await network[Symbol.asyncDispose]();
    await system[Symbol.asyncDispose]();
    await way[Symbol.asyncDispose]();
    await postgres[Symbol.asyncDispose]();
  });

  /** Pulls the file, and holds back its second half in the network. @returns the id of the download */
  async function pullHalf(): Promise<string> {
    const held = network.after("up", SIZE / 2, () => network.hold("up"));
    const downloadId = await system.pull("file");
    await held;
    await waitFor(
      async () => (await system.api.download(downloadId)).bytes_received > 0,
      "some of it to be safe",
    );
    return downloadId;
  }

  test("a file is pulled", async () => {
    const record = await system.ended(await system.pull("file"));
    await system.expectDelivered(record, wanted);
    expect(record.attempts).toBe(1);
  });

  test("a download is cancelled under way, and asked for again", async () => {
    const downloadId = await pullHalf();
    expect((await system.api.cancel(downloadId)).status).toBe("cancelled");
    network.release("up");
    const retry = await system.api.retry(downloadId);
    await system.expectDelivered(await system.ended(retry.download_id), wanted);
    expect((await system.api.download(downloadId)).retried_as).toBe(retry.download_id);
  });

  test("a server that is killed goes on where it was", async () => {
    const downloadId = await pullHalf();
    system.server.signal("SIGKILL");
    await system.server.ended();
    network.release("up");
    await system.restartServer();
    const record = await system.ended(downloadId);
    await system.expectDelivered(record, wanted);
    expect(record.attempts).toBe(2);
  });

  test("a connection that breaks is no end", async () => {
    const downloadId = await pullHalf();
    network.cut("rst");
    network.release("up");
    const record = await system.ended(downloadId);
    await system.expectDelivered(record, wanted);
    expect(record.attempts).toBe(2);
  });

  test("a set is pulled, and what did not change is not sent again", async () => {
    await mkdir(system.source("logs/deep"), { recursive: true });
    for (let n = 0; n < 30; n++) await writeFile(system.source(`logs/${n}.log`), `${n}\n`);
    await writeFile(system.source("logs/deep/er.log"), "deep");
    const old = new Date(Date.now() - 60_000);
    for (let n = 0; n < 30; n++) await utimes(system.source(`logs/${n}.log`), old, old);
    await utimes(system.source("logs/deep/er.log"), old, old);
    const order = { client_id: "site-1", paths: ["logs"], unchanged: "skip" as const };
    for (const [received, unchanged] of [
      [31, 0],
      [0, 31],
    ]) {
      const { download_id } = await system.api.startDownload(order);
      expect(await system.ended(download_id)).toMatchObject({
        status: "completed",
        files_total: 31,
        files_received: received,
        files_unchanged: unchanged,
      });
      const { files } = await system.api.setFiles(download_id, { limit: "1000" });
      expect(files).toHaveLength(31);
    }
  });

  test("tokens are made, may what they may, and are revoked", async () => {
    const { token } = await system.api.createToken({ name: "night", role: "viewer" });
    const night = new ApiClient({ server: system.url, token });
    expect(await night.clients()).toHaveLength(1);
    const refused = night.startDownload({ client_id: "site-1", file_path: "file" });
    await expect(refused).rejects.toMatchObject({ code: "forbidden" });
    await system.api.revokeToken("night");
    await expect(night.clients()).rejects.toMatchObject({ code: "unauthorized" });
  });

  test("the audit tells who did what", async () => {
    const { download_id } = await system.api.startDownload({
      client_id: "site-1",
      file_path: "no-such-file",
    });
    await system.ended(download_id);
    const actions = async () =>
      (await system.api.audit({ download_id })).records.map(({ action, outcome }) => [
        action,
        outcome,
      ]);
    await waitFor(async () => (await actions()).length === 2, "the audit to be written");
    expect(await actions()).toEqual([
      ["download_end", "file_not_found"],
      ["download_start", "ok"],
    ]);
  });

  test("events tell a download from its beginning to its end", async () => {
    const listener = new Listener(await fetch(`${system.url}/api/events`, { headers: ADMIN }));
    const downloadId = await system.pull("file");
    await listener.until(
      ({ event, data }) =>
        event === "download" && data.download_id === downloadId && data.status === "completed",
    );
    const told = listener.heard.flatMap(({ event, data }) =>
      event === "download" && data.download_id === downloadId ? data.status : [],
    );
    // Changes that follow quickly on each other may be reported as one event with the last status.
    const states = ["queued", "downloading", "verifying", "completed"];
    expect(told).toEqual(told.toSorted((a, b) => states.indexOf(a) - states.indexOf(b)));
    expect(told.at(-1)).toBe("completed");
    await listener.close();
  });

  test("while Postgres is away all waits, is told of, and goes on", async () => {
    const downloadId = await pullHalf();
    way.goDown();
    network.release("up");
    const health = async (path = "/health") => (await fetch(system.url + path)).status;
    await waitFor(async () => (await health()) === 503, "the server to miss its database");
    expect(await health("/live")).toBe(200);
    await system.server.waitForLine(/the database does not answer/);
    await waitFor(async () => {
      const refused = await system.api.clients().catch((error: unknown) => error);
      return refused instanceof ApiCallError && refused.code === "unavailable";
    }, "calls to be refused");
    way.comeBack();
    await waitFor(async () => (await health()) === 200, "the server to have it back");
    await system.server.waitForLine(/the database answers again/);
    await system.expectDelivered(await system.ended(downloadId), wanted);
    // Every log line has a level, so the JavaScript runtime itself printed no warning or error.
    const lines = system.server.log();
    expect(lines.filter(({ level }) => level === undefined)).toEqual([]);
  });

  test("Postgres that is killed and started again loses nothing", async () => {
    const downloadId = await pullHalf();
    await postgres.kill();
    network.release("up");
    await postgres.restart();
    const record = await system.ended(downloadId);
    await system.expectDelivered(record, wanted);
  });

  test("a server that starts while Postgres is away waits for it", async () => {
    way.goDown();
    system.server.signal("SIGKILL");
    await system.server.ended();
    await system.server.launch(["--port", String(system.port)]);
    await system.server.waitForLine(/the start waits: cannot open the database/);
    way.comeBack();
    await system.server.waitForLine(/listening on/);
    await system.expectDelivered(await system.ended(await system.pull("file")), wanted);
  });

  test("two servers that start at once on an empty database both serve", async () => {
    const files = await mkdtemp(join(tmpdir(), "fds-shared-"));
    const env = { DATABASE_URL: await postgres.makeDatabase(), STORAGE_URL: files };
    const systems = await Promise.all([System.start(env), System.start(env)]);
    await using one = systems[0];
    await using other = systems[1];
    const ids = await Promise.all(systems.map(async ({ api }) => (await api.health()).server_id));
    expect(new Set(ids).size).toBe(2);
    await one.api.createToken({ name: "day", role: "viewer" });
    expect((await other.api.tokens()).map(({ name }) => name)).toEqual(["day"]);
    // A server on the same database, but with another downloads folder, must refuse to start.
    const apart = System.start({ DATABASE_URL: env.DATABASE_URL });
    await expect(apart).rejects.toThrow("another server works on this database");
    await rm(files, { recursive: true });
  });
});
