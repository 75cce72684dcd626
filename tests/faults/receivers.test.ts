import { SQL } from "bun";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createServer } from "node:net";
import type { WebhookEvent } from "../../lib/api/webhook-events.ts";
import { NO_POSTGRES, Postgres } from "../support/postgres.ts";
import { Random } from "../support/random.ts";
import { Receiver } from "../support/receiver.ts";
import { ServerGroup } from "../support/server-group.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { SEED, seedCount } from "./seeds.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Row 47 of the fault table: webhook receivers that are dead, slow or hostile, and a server that is killed
 * while it sends messages.
 */

const DOWNLOADS = 20;
const KILLS = seedCount(2);
const LONGEST_LIFE = 600;

const EVENTS: WebhookEvent[] = [
  "download.completed",
  "download.failed",
  "client.online",
  "client.offline",
];

const start = () => System.start({ WEBHOOK_ALLOW: "127.0.0.1", OFFLINE_AFTER: "1s" });

const tell = (system: System, url: string, name = "ops") =>
  system.api.webhooks.create({ name, url, events: EVENTS });

/** Starts downloads. Every fourth is of a file that does not exist. @returns the ids of the downloads */
async function pullMany(system: System, count = DOWNLOADS): Promise<string[]> {
  const ids = [];
  for (let n = 0; n < count; n++) ids.push(await system.pull(n % 4 === 3 ? "none" : "file"));
  return ids;
}

/** Expects every download to end with its expected result, whatever the receivers do. */
async function expectAllEnded(system: System, ids: string[]): Promise<void> {
  for (const [n, id] of ids.entries()) {
    const { status, error_code } = await system.ended(id);
    expect([status, error_code]).toEqual(
      n % 4 === 3 ? ["failed", "file_not_found"] : ["completed", null],
    );
  }
}

/**
 * Expects at least one correct message about each download. All messages must be signed, and repetitions
 * identical.
 */
async function expectAllTold(receiver: Receiver, ids: string[], secret: string): Promise<void> {
  for (const [n, id] of ids.entries()) {
    const told = await waitFor(
      () => receiver.about(id).find(({ type }) => type.startsWith("download.")),
      `download ${n} to be told of`,
    );
    expect(told.type).toBe(n % 4 === 3 ? "download.failed" : "download.completed");
    expect(told.data).toMatchObject({ download_id: id });
  }
  for (const message of receiver.messages) Receiver.verify(message, secret);
  const byId = Map.groupBy(receiver.messages, ({ id }) => id);
  for (const same of byId.values()) expect(new Set(same.map(({ body }) => body)).size).toBe(1);
}

/** Expects the messages about a client in order: `client.online` and `client.offline` in turn. */
function expectInOrder(receiver: Receiver, clientId: string): void {
  const told = receiver.messages.filter(
    ({ data }) => data["client_id"] === clientId && "hostname" in data,
  );
  const types = [...new Map(told.map(({ id, type }) => [id, type])).values()];
  expect(types).toEqual(types.map((_, n) => (n % 2 === 0 ? "client.online" : "client.offline")));
}

test("row 47: a receiver that is dead gets every event once it is back, in order", async () => {
  await using system = await start();
  using receiver = new Receiver();
  receiver.stop();
  const { secret } = await tell(system, receiver.url);
  await Bun.write(system.source("file"), "content");
  const client = await system.startClient();
  const ids = await pullMany(system);
  await expectAllEnded(system, ids);
  for (let n = 0; n < 2; n++) {
    client.signal("SIGKILL");
    const wanted = 2 + 2 * n;
    await waitFor(
      async () => (await system.api.webhooks.get("ops")).waiting >= ids.length + wanted,
      "its absence to be noticed",
    );
    await client.restart();
  }
  const { waiting } = await system.api.webhooks.get("ops");
  expect(waiting).toBe(ids.length + 5);
  expect(receiver.messages).toEqual([]);
  receiver.start();
  await expectAllTold(receiver, ids, secret);
  await waitFor(async () => (await system.api.webhooks.get("ops")).waiting === 0, "the rest");
  expectInOrder(receiver, "site-1");
});

describe("row 47: a receiver costs transfers nothing, nor other receivers", () => {
  test("that never answers, answers 500, or without an end", async () => {
    await using system = await start();
    using good = new Receiver();
    using bad = new Receiver();
    bad.answer = ({ path }) => {
      if (path === "/silent") return new Promise(() => undefined);
      if (path === "/refusing") return new Response("no", { status: 500 });
      const endless = new ReadableStream({
        pull: (stream) => stream.enqueue(new Uint8Array(64 * 1024)),
      });
      return new Response(endless);
    };
    for (const path of ["silent", "refusing", "endless"]) {
      await tell(system, bad.url.replace("hook", path), path);
    }
    const { secret } = await tell(system, good.url);
    await Bun.write(system.source("file"), "content");
    await system.startClient();
    const ids = await pullMany(system);
    await expectAllEnded(system, ids);
    await expectAllTold(good, ids, secret);
    const of = (path: string) => bad.messages.filter((one) => one.path === `/${path}`);
    await waitFor(() => of("refusing").length > ids.length, "each event to be refused");
    await waitFor(() => of("endless").length > ids.length, "each event to be taken");
    // At most four messages are under way to one webhook.
    const sent = of("silent").length;
    // On a busy machine some messages may already have failed by the time limit of 15 s.
    const { attempts } = await system.api.webhooks.attempts("silent");
    expect(sent - attempts.length).toBeLessThanOrEqual(4);
    expect((await system.api.webhooks.get("endless")).waiting).toBeLessThan(ids.length);
  });

  test("that takes connections and says nothing by TLS", async () => {
    await using system = await start();
    const silent = createServer((socket) => socket.on("error", () => undefined));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const address = silent.address();
    const port = typeof address === "object" ? address?.port : "";
    await tell(system, `https://127.0.0.1:${port}/`);
    await Bun.write(system.source("file"), "content");
    await system.startClient();
    await expectAllEnded(system, await pullMany(system, 8));
    silent.close();
  });
});

test(`row 47: a server that is killed ${KILLS} times as it tells loses no event (FDS_SEED=${SEED})`, async () => {
  const random = new Random(SEED);
  await using system = await start();
  using receiver = new Receiver();
  receiver.answer = async () => {
    await Bun.sleep(random.int(0, 20));
    return new Response("", { status: random.int(0, 9) === 0 ? 500 : 200 });
  };
  const { secret } = await tell(system, receiver.url);
  await Bun.write(system.source("file"), "content");
  await system.startClient();
  const ids: string[] = [];
  for (let n = 0; n < KILLS; n++) {
    ids.push(...(await pullMany(system, 8)));
    await Bun.sleep(random.int(0, LONGEST_LIFE));
    system.server.signal("SIGKILL");
    await system.restartServer();
  }
  await expectAllEnded(system, ids);
  receiver.answer = () => new Response("");
  await expectAllTold(receiver, ids, secret);
});

test.skipIf(NO_POSTGRES !== "")(
  `row 47: of two servers one is killed as it tells: what it had taken comes again, and nothing else${NO_POSTGRES}`,
  async () => {
    await using postgres = await Postgres.start();
    const databaseUrl = await postgres.makeDatabase();
    using receiver = new Receiver();
    const env = { WEBHOOK_ALLOW: "127.0.0.1" };
    await using group = await ServerGroup.start({ count: 2, databaseUrl, env });
    const { api } = group.at(1);
    const events: WebhookEvent[] = ["download.completed", "download.failed"];
    const { secret } = await api.webhooks.create({ name: "ops", url: receiver.url, events });
    await Bun.write(group.source("file"), "content");
    group.balancer.prefer(group.at(1).port);
    await group.startClient();
    const killed = Promise.withResolvers<void>();
    receiver.answer = async () => {
      await killed.promise;
      return new Response("thanks");
    };
    const ids = [];
    for (let n = 0; n < DOWNLOADS; n++) {
      const order = { client_id: "site-1", file_path: n % 4 === 3 ? "none" : "file" };
      ids.push((await group.at(n % 2).api.startDownload(order)).download_id);
    }
    // Each of the two servers has at most four messages under way.
    await waitFor(() => receiver.messages.length === 8, "both to tell");
    group.at(0).program.signal("SIGKILL");
    await group.at(0).program.ended();
    killed.resolve();
    for (const id of ids) await group.ended(id, group.at(1));
    const waiting = async () => (await api.webhooks.get("ops")).waiting;
    await waitFor(async () => (await waiting()) === 4, "what the other one had taken to be left");
    expect(receiver.messages).toHaveLength(ids.length);

    // A message taken by a dead server is due again after 30 s; the test makes it due now.
    const sql = new SQL(databaseUrl, { max: 1 });
    await sql`UPDATE webhook_messages SET next_at = 0 WHERE status = 'waiting'`;
    await sql.close({ timeout: 0 });
    await waitFor(async () => (await waiting()) === 0, "it to be told by the other one");
    await expectAllTold(receiver, ids, secret);
    const times = [...Map.groupBy(receiver.messages, ({ id }) => id).values()];
    expect(times.map(({ length }) => length).filter((count) => count !== 1)).toEqual([2, 2, 2, 2]);
    expect(times).toHaveLength(ids.length);
  },
);
