import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { inShort, Listener, type Told } from "../support/events.ts";
import { md5OfFile, writeRandom } from "../support/sources.ts";
import { API_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

const MiB = 1024 * 1024;
const TOKEN = { Authorization: `Bearer ${API_TOKEN}` };

let system: System;

beforeEach(async () => {
  system = await System.start();
  await writeRandom(system.source("file"), 8 * MiB);
});
afterEach(() => system[Symbol.asyncDispose]());

async function listen(path: string, lastEventId?: string): Promise<Listener> {
  const headers = new Headers(TOKEN);
  if (lastEventId !== undefined) headers.set("Last-Event-ID", lastEventId);
  const response = await fetch(system.url + path, { headers });
  expect(response.status).toBe(200);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
  });
  return new Listener(response);
}

/** Returns a predicate for events in which a download (any, by default) has this status. */
const is = (status: DownloadRecord["status"], downloadId?: string) => (told: Told) =>
  told.event === "download" &&
  told.data.status === status &&
  (downloadId === undefined || told.data.download_id === downloadId);

/** The statuses of a download without errors, in order. */
const LIFE = ["queued", "downloading", "verifying", "completed"];

describe("all events", () => {
  test("show a client that comes, its pull from beginning to end, and that it leaves", async () => {
    const listener = await listen("/api/events");
    const client = await system.startClient();
    const came = await listener.until(({ event }) => event === "client");
    expect(came.data).toMatchObject({ client_id: "site-1", connected: true, active_downloads: 0 });
    const id = await system.pull("file");
    const end = await listener.until(is("completed", id));
    expect(end.data).toEqual(await system.api.download(id));
    const statuses = listener.heard.map(inShort).filter((word) => word !== "client");
    expect(statuses).toEqual(statuses.toSorted((a, b) => LIFE.indexOf(a) - LIFE.indexOf(b)));
    expect(statuses).toContain("queued");
    await listener.until((told) => told.event === "client" && told.data.active_downloads === 0);
    client.signal("SIGTERM");
    await listener.until((told) => told.event === "client" && !told.data.connected);
    await listener.close();
  });

  test("begin with how things are", async () => {
    await (await system.startClient({ id: "away" })).signal("SIGTERM");
    await system.startClient();
    await waitFor(
      async () => (await system.api.clients()).some((one) => !one.connected),
      "the client to leave",
    );
    await system.ended(await system.pull("file"));
    const id = await system.pull("file", "away");
    const listener = await listen("/api/events");
    const snapshot = [await listener.next(), await listener.next(), await listener.next()];
    const clients = await system.api.clients();
    expect(snapshot.map((told) => told?.data)).toEqual([...clients, await system.api.download(id)]);
    await listener.close();
  });

  test("miss no end over a restart of the server, for a reader that comes back", async () => {
    const client = await system.startClient();
    const listener = await listen("/api/events");
    client.signal("SIGKILL");
    const [lost, stays] = [await system.pull("file"), await system.pull("file")];
    const { id } = await listener.until(is("queued", stays));
    await listener.close();
    await system.api.cancel(lost);
    system.server.signal("SIGKILL");
    await system.restartServer();
    await client.restart();
    await system.ended(stays);
    const again = await listen("/api/events", id);
    const ends = [await again.next(), await again.next()];
    expect(ends.map((told) => told?.data)).toEqual([
      await system.api.download(lost),
      await system.api.download(stays),
    ]);
    expect(inShort(await again.next())).toBe("client");
    await again.close();
  });

  test("end with the server, which does not wait for its readers", async () => {
    const listeners = [await listen("/api/events"), await listen("/api/events")];
    const ends = listeners.map((listener) => listener.rest().catch(() => "broken off"));
    system.server.signal("SIGTERM");
    expect(await system.server.ended()).toBe(0);
    await Promise.all(ends);
  });

  test("are not waited for: readers that take nothing hold up no transfer", async () => {
    await system.startClient();
    const head = `GET /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${TOKEN.Authorization}\r\n\r\n`;
    const sockets: Socket[] = [];
    for (let n = 0; n < 20; n++) {
      const socket = connect(system.port, "127.0.0.1");
      sockets.push(socket);
      socket.pause().write(head);
      await once(socket, "connect");
    }
    const listener = await listen("/api/events");
    const ids = await Promise.all(Array.from({ length: 10 }, () => system.pull("file")));
    const md5 = await md5OfFile(system.source("file"));
    for (const id of ids)
      expect(await system.ended(id)).toMatchObject({ status: "completed", md5 });
    for (const id of ids) {
      const wasTold = listener.heard.some(is("completed", id));
      if (!wasTold) await listener.until(is("completed", id));
    }
    for (const socket of sockets) socket.destroy();
    await listener.close();
  });
});

describe("the events of one download", () => {
  test("begin with its record and end with its end", async () => {
    await system.startClient();
    const id = await system.pull("file");
    const told = await (await listen(`/api/downloads/${id}/events`)).rest();
    expect(told.every((one) => one.event === "download" && one.data.download_id === id)).toBe(true);
    expect(told.at(-1)?.data).toEqual(await system.api.download(id));
    expect(told.map(inShort).indexOf("completed")).toBe(told.length - 1);
  });

  test("are its record alone once it has ended, and none for who knows that", async () => {
    await system.startClient();
    const id = await system.pull("no such file");
    await system.ended(id);
    const path = `/api/downloads/${id}/events`;
    const told = await (await listen(path)).rest();
    expect(told).toMatchObject([{ event: "download", data: { status: "failed" } }]);
    const headers = { ...TOKEN, "Last-Event-ID": told[0]!.id };
    expect((await fetch(system.url + path, { headers })).status).toBe(204);
  });

  test("go on over a restart of the client", async () => {
    const client = await system.startClient();
    client.signal("SIGKILL");
    const id = await system.pull("file");
    const listener = await listen(`/api/downloads/${id}/events`);
    await listener.until(is("queued"));
    await client.restart();
    expect((await listener.rest()).map(inShort).at(-1)).toBe("completed");
  });
});

describe("nobody is told anything", () => {
  test.each([
    ["without the token", "/api/events", {}, 401],
    ["of one download without the token", "/api/downloads/x/events", {}, 401],
    ["of a download that is not there", "/api/downloads/x/events", TOKEN, 404],
    ["with a query that nobody reads", "/api/events?since=5", TOKEN, 400],
  ])("%s", async (_, path, headers: Record<string, string>, status) => {
    const response = await fetch(system.url + path, { headers });
    expect(response.status).toBe(status);
    expect(await response.json()).toHaveProperty("code");
  });

  test("by HEAD, and nothing is left of it", async () => {
    const answer = await fetch(`${system.url}/api/events`, { method: "HEAD", headers: TOKEN });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const metrics = await fetch(`${system.url}/metrics`, { headers: TOKEN });
    expect(await metrics.text()).toContain("\nfds_event_readers 0\n");
  });
});
