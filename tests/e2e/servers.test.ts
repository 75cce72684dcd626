import { SQL } from "bun";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ApiClient } from "../../lib/cli/rest/api-client.ts";
import { Listener, type Told } from "../support/events.ts";
import { FleetSite } from "../support/fleet.ts";
import { codeBlocks, section } from "../support/markdown.ts";
import { Nginx, NO_NGINX } from "../support/nginx.ts";
import { NO_POSTGRES, Postgres } from "../support/postgres.ts";
import { ServerGroup } from "../support/server-group.ts";
import { type Version, writeRandom } from "../support/sources.ts";
import { API_TOKEN } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const listen = async (url: string, token = API_TOKEN) =>
  new Listener(await fetch(`${url}/api/events`, { headers: bearer(token) }));

/* Several servers on one Postgres and one downloads folder, end to end, with real programs. */

const MiB = 1024 * 1024;
const SIZE = 16 * MiB;
/**
 * The most bytes that may be sent twice after a break: those that the server has granted but not written, and
 * those that it has written but not flushed.
 */
const MOST_RESENT = 12 * MiB;

describe.skipIf(NO_POSTGRES !== "")(`several servers${NO_POSTGRES}`, () => {
  let postgres: Postgres;
  let group: ServerGroup;
  let wanted: Version;

  beforeAll(async () => {
    postgres = await Postgres.start();
    group = await ServerGroup.start({ count: 2, databaseUrl: await postgres.makeDatabase() });
    wanted = await writeRandom(group.source("file"), SIZE);
    group.balancer.prefer(group.at(0).port);
    await group.startClient();
  });
  afterAll(async () => {
    await group?.[Symbol.asyncDispose]();
    await postgres?.[Symbol.asyncDispose]();
  });

  test("a server that starts leaves what others work on alone", async () => {
    const downloadId = await group.pullHalf(SIZE);
    group.at(1).program.signal("SIGKILL");
    await group.restart(1);
    group.network.release("up");
    const record = await group.ended(downloadId);
    await group.expectDelivered(record, wanted);
    expect(record.attempts).toBe(1);
  });

  test("a file of a client of another server comes, and is told of there", async () => {
    const downloadId = await group.pullHalf(SIZE, group.at(1));
    const [here, there] = await Promise.all(group.members.map(({ api }) => api.clients()));
    expect(there).toMatchObject([{ client_id: "site-1", connected: true, active_downloads: 1 }]);
    expect(here).toMatchObject([{ client_id: "site-1", connected: true, active_downloads: 1 }]);
    expect(await group.at(1).api.health()).toMatchObject({ connected_clients: 1 });
    group.network.release("up");
    const record = await group.ended(downloadId, group.at(1));
    await group.expectDelivered(record, wanted);
  });

  test("a download of another server is cancelled", async () => {
    const downloadId = await group.pullHalf(SIZE);
    expect(await group.at(1).api.cancel(downloadId)).toMatchObject({ status: "cancelled" });
    await waitFor(
      async () => (await group.metric(0, "fds_active_transfers")) === 0,
      "the server that had it to stop",
    );
    group.network.release("up");
    expect(await group.parts()).toEqual([]);
  });

  test("a server that is killed is no end: its client goes on at another one", async () => {
    const downloadId = await group.pullHalf(SIZE);
    const { sent } = group.network;
    const before = sent.up;
    group.at(0).program.signal("SIGKILL");
    const killedAt = performance.now();
    group.network.release("up");
    const record = await group.ended(downloadId, group.at(1));
    expect(performance.now() - killedAt).toBeLessThan(60_000);
    await group.expectDelivered(record, wanted);
    expect(record.attempts).toBe(2);
    expect(sent.up - before).toBeLessThan(SIZE / 2 + MOST_RESENT);
    await group.restart(0);
  });

  test("a site of another server is looked into, and refuses as it does there", async () => {
    await mkdir(group.source("logs"));
    await writeFile(group.source("logs/a.log"), "a");
    for (const { api } of group.members) {
      const { entries } = await api.clientFiles("site-1", { path: "logs", cursor: undefined });
      expect(entries).toMatchObject([{ name: "a.log", type: "file", size: 1 }]);
      const nothing = api.clientFiles("site-1", { path: "nothing", cursor: undefined });
      await expect(nothing).rejects.toMatchObject({ code: "file_not_found" });
    }
  });

  test("events of another server's downloads and clients are told", async () => {
    const listeners = await Promise.all(group.members.map(({ url }) => listen(url)));
    const downloadId = await group.pullHalf(SIZE);
    const goesOn = (least: number) => (told: Told) =>
      told.event === "download" &&
      told.data.download_id === downloadId &&
      told.data.bytes_received >= least;
    for (const listener of listeners) await listener.until(goesOn(1));
    group.network.release("up");
    for (const listener of listeners) await listener.until(goesOn(SIZE));
    await group.startClient("site-2");
    for (const listener of listeners) {
      await listener.until(
        ({ event, data }) => event === "client" && data.client_id === "site-2" && data.connected,
      );
      await listener.close();
    }
  });

  test("what one server lets in or puts out, all do", async () => {
    const [one, other] = [group.at(0), group.at(1)];
    const { token } = await one.api.createToken({ name: "night", role: "viewer" });
    const night = await listen(other.url, token);
    await night.next();
    const { code } = await one.api.signInCode();
    const signIn = (url: string) =>
      fetch(`${url}/api/session`, { method: "POST", body: JSON.stringify({ code }) });
    expect((await signIn(other.url)).status).toBe(200);
    expect((await signIn(one.url)).status).toBe(401);
    await one.api.revokeToken("night");
    // Revoking a token at one server ends its event stream at the other server.
    await night.rest().catch(() => undefined);
    const late = await fetch(`${other.url}/api/clients`, { headers: bearer(token) });
    expect(late.status).toBe(401);
  });

  test("of a job as many downloads run as it says, counted over all servers", async () => {
    const names = Array.from({ length: 6 }, (_, n) => `till-${n}`);
    const sites = names.map((id, n) => new FleetSite(group.at(n % 2).url, id, "hold"));
    await waitFor(() => sites.every(({ isRegistered }) => isRegistered), "the tills to register");
    const job = await group.at(0).api.createJob({
      clients: { ids: ["till-*"] },
      max_concurrent: 2,
      download: { file_path: "file" },
    });
    const held = () => sites.filter((site) => site.held.length > 0);
    for (let left = names.length; left > 0; left--) {
      await waitFor(() => held().length === Math.min(2, left), "others to take their place");
      held()[0]?.go("deliver");
      expect(held().length).toBeLessThanOrEqual(2);
    }
    await waitFor(
      async () => (await group.at(1).api.job(job.job_id)).status === "completed",
      "the job to be completed",
    );
    expect(sites.map(({ asked }) => asked)).toEqual(names.map(() => 1));
    for (const site of sites) site.leave();
  });

  test("a job that is paused at one server starts nothing at another, until it goes on", async () => {
    const site = new FleetSite(group.at(1).url, "shop-1", "hold");
    await waitFor(() => site.isRegistered, "the shop to register");
    const first = await group.at(0).api.startDownload({ client_id: "shop-1", file_path: "file" });
    const second = await group.at(0).api.startDownload({ client_id: "shop-1", file_path: "file" });
    await waitFor(() => site.held.length === 2, "both slots to be taken");
    const { job_id } = await group.at(0).api.createJob({
      clients: { ids: ["shop-1"] },
      download: { file_path: "file" },
    });
    await group.at(0).api.pauseJob(job_id);
    site.go("deliver");
    for (const { download_id } of [first, second]) await group.ended(download_id);
    expect(await group.at(1).api.job(job_id)).toMatchObject({ status: "paused" });
    expect(site.asked).toBe(2);
    await group.at(0).api.resumeJob(job_id);
    await waitFor(
      async () => (await group.at(0).api.job(job_id)).status === "completed",
      "the job to go on",
    );
    site.leave();
  });

  test("two machines with one id at two servers are told of at both", async () => {
    const machines = group.members.map(({ url }) => new FleetSite(url, "twice", "hold"));
    const problems = async () => {
      const all = await Promise.all(group.members.map(({ api }) => api.clients()));
      return all.map((clients) => clients.find(({ client_id }) => client_id === "twice")?.problem);
    };
    await waitFor(
      async () =>
        (await problems()).every((words) => words?.startsWith("two machines use this id")),
      "both servers to tell",
    );
    for (const machine of machines) machine.leave();
  });

  test("what a server writes that was frozen until its lease was over changes nothing", async () => {
    group.balancer.prefer(group.at(0).port);
    await group.reconnect();
    const downloadId = await group.pullHalf(SIZE);
    group.at(0).program.signal("SIGSTOP");
    group.balancer.avoid(group.at(0).port);
    group.network.cut("rst");
    group.network.release("up");
    const record = await group.ended(downloadId, group.at(1));
    await group.expectDelivered(record, wanted);
    // Ends the lease that the frozen server could not renew, as another server would do.
    await group.endLease(0);
    group.at(0).program.signal("SIGCONT");
    await group.at(0).program.waitForLine(/the lease of this server was over/);
    expect(await group.at(0).api.download(downloadId)).toEqual(record);
    await waitFor(async () => (await group.parts()).length === 0, "the parts to go");
    await group.expectDelivered(await group.at(0).api.download(downloadId), wanted);
    // With a new lease, the server accepts clients and downloads again.
    group.balancer.prefer(group.at(0).port);
    await group.reconnect();
    const again = await group.pullHalf(SIZE, group.at(1));
    group.network.release("up");
    await group.expectDelivered(await group.ended(again), wanted);
  });
});

test.skipIf(NO_POSTGRES !== "")(
  `without any hint all comes about, some seconds later${NO_POSTGRES}`,
  async () => {
    await using postgres = await Postgres.start();
    const databaseUrl = await postgres.makeDatabase();
    await using sql = new SQL(databaseUrl, { max: 1 });
    await sql.unsafe("CREATE ROLE poor LOGIN; GRANT ALL ON SCHEMA public TO poor");
    await sql.unsafe("REVOKE EXECUTE ON FUNCTION pg_notify(text, text) FROM PUBLIC");
    const poor = databaseUrl.replace("fds@", "poor@");
    await using group = await ServerGroup.start({ count: 2, databaseUrl: poor });
    const wanted = await writeRandom(group.source("file"), SIZE);
    const [one, other] = [group.at(0), group.at(1)];
    group.balancer.prefer(one.port);
    const listener = await listen(other.url);
    await group.startClient();
    await listener.until(({ event, data }) => event === "client" && data.connected);
    const order = { client_id: "site-1", file_path: "file" };
    const held = group.network.after("up", SIZE / 2, () => group.network.hold("up"));
    const cancelled = await other.api.startDownload(order);
    await held;
    await other.api.cancel(cancelled.download_id);
    await waitFor(
      async () => (await group.metric(0, "fds_active_transfers")) === 0,
      "the server that had it to stop",
    );
    group.network.release("up");
    const { entries } = await other.api.clientFiles("site-1", {
      path: undefined,
      cursor: undefined,
    });
    expect(entries).toHaveLength(1);
    const { download_id } = await other.api.startDownload(order);
    await group.expectDelivered(await group.ended(download_id), wanted);
    await listener.until(
      ({ event, data }) =>
        event === "download" && data.download_id === download_id && data.md5 !== null,
    );
    await listener.close();
  },
);

const PAGE = readFileSync(join(import.meta.dir, "../../lib/server/README.md"), "utf8");
const [UPSTREAM = ""] = codeBlocks(section(PAGE, "Several servers"), "nginx");
const [LOCATION = ""] = codeBlocks(section(PAGE, "Behind a reverse proxy"), "nginx");
const NEEDS = NO_POSTGRES + NO_NGINX;

test.skipIf(NEEDS !== "")(`behind nginx, one that is killed is not missed${NEEDS}`, async () => {
  await using postgres = await Postgres.start();
  const databaseUrl = await postgres.makeDatabase();
  const env = { TRUSTED_PROXIES: "127.0.0.1" };
  await using group = await ServerGroup.start({ count: 2, databaseUrl, env });
  const wanted = await writeRandom(group.source("file"), SIZE);
  const upstream = group.members.reduce(
    (text, { port }, n) => text.replace(`10.0.0.1${n + 1}:8080`, `127.0.0.1:${port}`),
    UPSTREAM,
  );
  const location = LOCATION.replace(
    "proxy_pass http://127.0.0.1:8080;",
    "proxy_pass http://files;\n  proxy_next_upstream error timeout http_503;",
  );
  await using nginx = await Nginx.start(location, upstream);
  await group.startClient("site-1", nginx.url);
  const api = new ApiClient({ server: nginx.url, token: API_TOKEN });
  const pull = async () =>
    (await api.startDownload({ client_id: "site-1", file_path: "file" })).download_id;
  await group.expectDelivered(await group.ended(await pull()), wanted);
  group.at(0).program.signal("SIGKILL");
  for (let n = 0; n < 4; n++) expect(await api.clients()).toHaveLength(1);
  await group.expectDelivered(await group.ended(await pull(), group.at(1)), wanted);
});
