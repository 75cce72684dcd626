import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { SQL } from "bun";
import type { Repository } from "../../../lib/server/database/repository.ts";
import { openSqlRepository } from "../../../lib/server/database/sql.ts";
import type { ServerRows } from "../../../lib/server/servers/rows.ts";
import {
  type Databases,
  emptyDatabase,
  NO_DATABASES,
  startDatabases,
} from "../../support/postgres.ts";
import { TEST_LIMIT } from "../../support/wait.ts";
import { client, id, queued } from "./samples.ts";

setDefaultTimeout(TEST_LIMIT);

const LIMITS = { total: 10, perClient: 10 };
const NOW = Date.now();

/** A server with its repository and its lease. */
interface Server {
  rows: Repository;
  servers: ServerRows;
  leaseId: string;
}

describe.skipIf(NO_DATABASES !== "")(`servers that share Postgres${NO_DATABASES}`, () => {
  let databases: Databases;
  let url: string;
  let sql: SQL;
  const opened: Repository[] = [];
  let one: Server;
  let other: Server;

  const begin = async (storage = "files"): Promise<Server> => {
    const rows = await openSqlRepository(url);
    opened.push(rows);
    const { servers } = rows;
    if (!servers) throw new Error("Postgres is for several servers");
    const leaseId = Bun.randomUUIDv7();
    const refused = await servers.begin({ leaseId, serverId: leaseId, process: null, storage });
    if (refused !== null) throw new Error(`there are servers with "${refused}"`);
    return { rows, servers, leaseId };
  };
  /** Makes the lease of a server expire. */
  const expire = ({ leaseId }: Server) =>
    sql`UPDATE servers SET expires_at = 0 WHERE lease_id = ${leaseId}`;
  const session = (clientId: string) => ({ clientId, sessionId: Bun.randomUUIDv7() });
  const claim = ({ rows }: Server, clientId = "site-1") =>
    rows.claimDownload(clientId, null, LIMITS, NOW);

  beforeAll(async () => {
    databases = await startDatabases();
    url = await databases.makeDatabase();
    sql = new SQL(url, { max: 1 });
    await (await openSqlRepository(url)).close();
  });
  beforeEach(async () => {
    await emptyDatabase(url);
    one = await begin();
    other = await begin();
    await one.rows.insertDownload(queued(1));
  });
  afterEach(async () => {
    for (const rows of opened.splice(0)) await rows.close();
  });
  afterAll(async () => {
    await sql?.close({ timeout: 0 });
    await databases?.[Symbol.asyncDispose]();
  });

  test("have one storage", async () => {
    await expect(begin("elsewhere")).rejects.toThrow('there are servers with "files"');
    for (const { servers, leaseId } of [one, other]) await servers.end([leaseId]);
    await begin("elsewhere");
  });

  test("renew their leases, and lose them to who finds them over", async () => {
    expect(await one.servers.renew()).toBe(true);
    expect(await other.servers.endLapsed()).toBe(0);
    await expire(one);
    // No other server has ended the expired lease, so its server can still renew it.
    expect(await one.servers.renew()).toBe(true);
    const lease = { leaseId: one.leaseId, process: null };
    expect(await other.servers.others()).toEqual([{ ...lease, isLapsed: false }]);
    await expire(one);
    expect(await other.servers.others()).toEqual([{ ...lease, isLapsed: true }]);
    expect(await other.servers.endLapsed()).toBe(1);
    expect(await one.servers.renew()).toBe(false);
    expect(await one.servers.hold(session("site-1"))).toBe(false);
  });

  test("claim only for clients that they hold, under a lease that is not over", async () => {
    expect(await claim(one)).toBeNull();
    await other.servers.hold(session("site-1"));
    expect(await claim(one)).toBeNull();
    await one.servers.hold(session("site-1"));
    expect(await claim(other)).toBeNull();
    await sql`DELETE FROM servers WHERE lease_id = ${one.leaseId}`;
    expect(await claim(one)).toBeNull();
    await other.servers.hold(session("site-1"));
    expect(await claim(other)).toMatchObject({ downloadId: id(1), epoch: 1 });
  });

  test("have the slots of all each for itself, and those of a client together", async () => {
    await one.rows.insertDownload({ ...queued(2), clientId: "site-2" });
    await one.rows.insertDownload({ ...queued(3), clientId: "site-2" });
    await one.servers.hold(session("site-1"));
    await other.servers.hold(session("site-2"));
    const few = { total: 1, perClient: 1 };
    expect(await one.rows.claimDownload("site-1", null, few, NOW)).not.toBeNull();
    expect(await other.rows.claimDownload("site-2", null, few, NOW)).not.toBeNull();
    // The server that takes over a client also counts the client's downloads on the earlier server.
    await one.servers.hold(session("site-2"));
    const more = { total: 9, perClient: 1 };
    expect(await one.rows.claimDownload("site-2", null, more, NOW)).toBeNull();
    expect(await one.rows.countActiveLines()).toContainEqual({
      ...{ clientId: "site-2", line: null, active: 1, own: 0 },
    });
  });

  test("hold a client by its latest session", async () => {
    const [first, second] = [session("site-1"), session("site-1")];
    await one.rows.registerClient(client("site-1"), null);
    expect(await one.rows.listClients({ held: true, limit: 9 })).toEqual([]);
    await one.servers.hold(first);
    await other.servers.hold(second);
    await one.servers.release(first);
    expect(await other.servers.held()).toEqual([second]);
    expect(await one.servers.news()).toMatchObject({ held: 0 });
    expect(await other.servers.news()).toMatchObject({ held: 1 });
    expect(await one.servers.isHeldElsewhere("site-1")).toBe(true);
    expect(await other.servers.isHeldElsewhere("site-1")).toBe(false);
    expect(await one.rows.listClients({ held: true, limit: 9 })).toHaveLength(1);
    expect(await one.servers.countConnected()).toBe(1);
    await expire(other);
    expect(await one.servers.countConnected()).toBe(0);
    expect(await one.rows.listClients({ held: false, limit: 9 })).toHaveLength(1);
  });

  test("take up only what nobody works on", async () => {
    await one.servers.hold(session("site-1"));
    const claimed = await claim(one);
    expect(await other.servers.recoverable()).toEqual([]);
    expect(await other.servers.runningElsewhere("site-1")).toEqual([claimed!]);
    expect(await one.servers.runningElsewhere("site-1")).toEqual([]);
    expect(await one.servers.ownAttempts()).toMatchObject([{ downloadId: id(1), epoch: 1 }]);
    await expire(one);
    await other.servers.endLapsed();
    expect(await other.servers.recoverable()).toEqual([claimed!]);
  });

  test("take a publishing over once, and who began it records nothing more", async () => {
    await one.servers.hold(session("site-1"));
    const claimed = (await claim(one))!;
    const source = { identity: null, totalSize: 5, chunkSize: 1 };
    const { durableOffset: _, ...rest } = claimed;
    const verifying = { ...rest, status: "verifying" as const, source, digest: "d" };
    const before = (await one.rows.replaceDownload({ ...verifying, savedPath: "site-1/a" }))!;
    const taken = await other.servers.takeOver(before);
    expect(taken).toMatchObject({ epoch: 2, savedPath: "site-1/a" });
    expect(await other.servers.takeOver(before)).toBeNull();
    expect(await one.rows.replaceDownload({ ...before, digest: "e" })).toBeNull();
  });

  test("write nothing of the files of a set that another one goes on with", async () => {
    await one.servers.hold(session("site-1"));
    const lost = (await claim(one))!;
    const file = { path: "a", root: 0, size: 1, mtimeNs: "5", place: "a", error: null };
    await one.rows.sets.insert(lost, "site-1", [{ ...file, index: 0 }]);
    await one.rows.replaceDownload({ ...lost, epoch: lost.epoch + 1 });
    await one.rows.sets.insert(lost, "site-1", [{ ...file, index: 1 }]);
    await one.rows.sets.update(lost, [{ index: 0, status: "pending", durableOffset: 1 }]);
    await one.rows.sets.clear(lost);
    const [left, ...others] = await one.rows.sets.list(id(1), { limit: 9 });
    expect(left).toMatchObject({ index: 0, durableOffset: 0 });
    expect(others).toEqual([]);
  });

  test("see what others let wait for their clients, once", async () => {
    await one.servers.hold(session("site-1"));
    const { upTo } = await one.servers.waitingSince(0, NOW);
    expect((await one.servers.news()).revision).toBe(upTo);
    await other.rows.insertDownload(queued(2));
    const found = await one.servers.waitingSince(upTo, NOW);
    expect((await one.servers.news()).revision).toBe(found.upTo);
    expect(found.upTo).toBeGreaterThan(upTo);
    expect(found.waiting).toEqual([{ clientId: "site-1", line: null }]);
    expect((await one.servers.waitingSince(found.upTo, NOW)).waiting).toEqual([]);
    expect((await other.servers.waitingSince(0, NOW)).waiting).toEqual([]);
  });

  test("ask each other for a folder, and one answers", async () => {
    await other.servers.hold(session("site-1"));
    const asked = { requestId: "r", clientId: "site-1", order: "{}" };
    await one.servers.ask(asked);
    expect(await one.servers.news()).toMatchObject({ isAsked: false });
    expect(await other.servers.news()).toMatchObject({ isAsked: true });
    expect(await one.servers.takeAsked()).toEqual([]);
    expect(await other.servers.takeAsked()).toEqual([asked]);
    expect(await other.servers.news()).toMatchObject({ isAsked: false });
    expect(await other.servers.takeAsked()).toEqual([]);
    expect(await one.servers.answerTo("r")).toBeNull();
    await other.servers.answer("r", "[]");
    expect(await one.servers.answerTo("r")).toBe("[]");
    await one.servers.forget("r");
    expect(await one.servers.answerTo("r")).toBeNull();
  });

  test("hear what one of them tells", async () => {
    const heard = Promise.withResolvers<string>();
    const stop = await other.servers.listen(heard.resolve, () => undefined);
    await one.servers.notify("queue site-1");
    expect(await heard.promise).toBe("queue site-1");
    await stop();
  });
});
