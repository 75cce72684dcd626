import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { areOf } from "../../../lib/server/access/sites.ts";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DownloadRecord } from "../../../lib/api/schemas.ts";
import type { KnownClient } from "../../../lib/server/clients/known-clients.ts";
import type { ClientFilter, Repository } from "../../../lib/server/database/repository.ts";
import { openSqlRepository } from "../../../lib/server/database/sql.ts";
import { type Download, hasEnded, type Queued } from "../../../lib/server/download.ts";
import { type Caller, LOCAL_ADMIN } from "../../../lib/server/access/caller.ts";
import { OpenCalls } from "../../../lib/server/access/open-calls.ts";
import { EventFeeds } from "../../../lib/server/events/event-feeds.ts";
import { Events } from "../../../lib/server/events/events.ts";
import type { Progress } from "../../../lib/server/transfer/incoming-stream.ts";
import { FairTurns, nextRound } from "../../../lib/util/fair-turns.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { inShort, Listener, type Told } from "../../support/events.ts";
import { Random } from "../../support/random.ts";
import { fillDatabase } from "../../support/stored.ts";
import {
  cancelled,
  client,
  completed,
  downloading,
  id,
  queued,
  verifying,
} from "../database/samples.ts";

/*
 * On a clock that tests move: nothing is told unless somebody gives a hint, or a test lets time
 * pass.
 */

let folder: string;
let rows: Repository;
/** Calls of the repository by the events, by name. */
let calls: string[];
/** Where it is set, every call of the repository by the events fails with it. */
let fault: Error | undefined;
let known: KnownClient[];
let progress: Map<string, Progress>;
let log: string[];
let events: Events;
let feeds: EventFeeds;
let openCalls: OpenCalls;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-events-"));
  rows = await openSqlRepository(`sqlite://${folder}/state.db`);
  jest.useFakeTimers();
  calls = [];
  openCalls = new OpenCalls();
  fault = undefined;
  known = [{ ...client("site-1"), connected: true }];
  progress = new Map();
  log = [];
  const logger = new Logger({ level: "debug", format: "json", write: (line) => log.push(line) });
  const repository = new Proxy(rows, {
    get(target, name: keyof Repository) {
      calls.push(name);
      if (fault) throw fault;
      const member = target[name];
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const clients = {
    list: async ({ after = "", sites }: Omit<ClientFilter, "ids">) =>
      known.filter(({ clientId }) => clientId > after && areOf(sites ?? null, clientId, {})),
    get: async (clientId: string) => known.find((one) => one.clientId === clientId) ?? null,
  };
  const progressOf = ({ downloadId }: Download) => progress.get(downloadId);
  events = new Events({ repository, clients, progressOf, logger });
  feeds = new EventFeeds({
    repository,
    clients,
    events,
    openCalls,
    openJobs: async function* () {},
    turns: new FairTurns(),
    logger,
  });
});
afterEach(async () => {
  events.close();
  await told();
  expect(jest.getTimerCount(), "timers that are left").toBe(0);
  jest.useRealTimers();
  await rows.close();
  await rm(folder, { recursive: true });
});

/** Resolves when everything that was hinted at has been told. */
const told = () => events.inTurn(async () => undefined);

/** Lets a time pass, in ms, beat by beat. */
async function pass(ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += 50) {
    jest.advanceTimersByTime(50);
    await told();
    await nextRound();
  }
}

/** A download that is new. */
async function ask(n: number, fields: Partial<Queued> = {}): Promise<Download> {
  const download = await rows.insertDownload(queued(n, fields));
  events.downloadChanged();
  return download;
}

/** Puts a download into another state. */
async function change(before: Download, state: Download): Promise<Download> {
  const { downloadId, clientId, revision } = before;
  const savedPath = "savedPath" in state && { savedPath: `${clientId}/${downloadId}` };
  const after = await rows.replaceDownload({
    ...state,
    downloadId,
    clientId,
    ...savedPath,
    revision,
  });
  if (!after) throw new Error("the row was changed by another");
  if (after.status !== before.status) events.downloadChanged();
  return after;
}

/** A request of a reader that comes back, or of a new one. */
const asking = (lastEventId: string | null = null) =>
  new Request("http://server/", {
    headers: lastEventId === null ? {} : { "Last-Event-ID": lastEventId },
  });

const listen = (lastEventId: string | null = null) =>
  new Listener(feeds.all(LOCAL_ADMIN, asking(lastEventId)));

/** The downloads that are told of before the news, up to the clients and what has not ended. */
async function snapshot(listener: Listener, count: number): Promise<string[]> {
  const found: Told[] = [];
  while (found.length < count) {
    const next = await listener.next();
    if (!next) throw new Error("the stream ended");
    found.push(next);
  }
  return found.map((one) => {
    if (one.event === "job") return `job ${one.data.status}`;
    return one.event === "download"
      ? `${one.data.download_id.slice(-2)} ${one.data.status}`
      : `${one.data.client_id} ${one.data.connected}`;
  });
}

describe("all events", () => {
  test("begin with the clients and what has not ended, then come changes", async () => {
    const first = await ask(1);
    await change(await ask(2), cancelled);
    await change(await ask(3), verifying);
    known.push({ ...client("site-2"), connected: false });
    const listener = listen();
    expect(await snapshot(listener, 4)).toEqual([
      "site-1 true",
      "site-2 false",
      "01 queued",
      "03 verifying",
    ]);
    const after = await change(first, cancelled);
    expect(await listener.next()).toMatchObject({
      event: "download",
      data: { download_id: id(1), status: "cancelled" },
      id: String(after.revision),
    });
    expect(await listener.next()).toMatchObject({ event: "client", data: { client_id: "site-1" } });
  });

  test("have the record as it is, with the progress that only this process knows", async () => {
    const download = await change(await ask(1), downloading);
    progress.set(id(1), { bytesReceived: 123, bytesOnWire: 123, bytesPerSecond: 4.5 });
    const listener = listen();
    const { data } = await listener.until(({ event }) => event === "download");
    expect(data).toMatchObject({
      status: download.status,
      bytes_received: 123,
      bytes_per_second: 5,
    });
  });

  test("tell of clients that come and leave, with what they have to do", async () => {
    await change(await ask(1), downloading);
    const listener = listen();
    await snapshot(listener, 2);
    known = [{ ...client("site-1"), connected: false }];
    events.clientChanged("site-1");
    expect(await listener.next()).toMatchObject({
      event: "client",
      data: { client_id: "site-1", connected: false, active_downloads: 1 },
    });
  });

  test("tell everything there is, however much", async () => {
    for (let n = 0; n < 450; n++) await ask(n);
    const listener = listen();
    await snapshot(listener, 451);
    const ids = listener.heard
      .slice(1)
      .map(({ data }) => "download_id" in data && data.download_id);
    expect(ids.toReversed()).toEqual(Array.from({ length: 450 }, (_, n) => id(n)));
  });

  test("cost nothing while nobody listens", async () => {
    const download = await ask(1);
    events.clientChanged("site-1");
    await told();
    expect(calls).toEqual([]);
    const listener = listen();
    await listener.next();
    await listener.close();
    calls.length = 0;
    await change(download, cancelled);
    await pass(1_000);
    expect(calls).toEqual([]);
    expect(events.readerCount).toBe(0);
  });

  test("cost nothing for an answer without a body, as to HEAD", async () => {
    const head = new Request("http://server/", { method: "HEAD" });
    // More often than streams may be open.
    for (let n = 0; n < 300; n++) {
      const { headers, body } = feeds.all(LOCAL_ADMIN, head);
      expect([headers.get("content-type"), body]).toEqual([
        "text/event-stream; charset=utf-8",
        null,
      ]);
    }
    await pass(1_000);
    expect([events.readerCount, calls]).toEqual([0, []]);
  });

  test("are put into words once, however many listen", async () => {
    await change(await ask(1), downloading);
    const listeners = Array.from({ length: 50 }, () => listen());
    for (const listener of listeners) await snapshot(listener, 2);
    let looks = 0;
    progress.get = () => {
      looks++;
      return { bytesReceived: looks, bytesOnWire: looks, bytesPerSecond: null };
    };
    await pass(1_000);
    expect(looks).toBe(5);
    for (const listener of listeners) {
      expect((await listener.next())?.data).toMatchObject({ bytes_received: 5 });
    }
  });

  test("end when the server goes away", async () => {
    const listener = listen();
    await snapshot(listener, 1);
    events.close();
    expect(await listener.next()).toBeNull();
  });

  test("end when the rows cannot be read, and the log says why", async () => {
    const listener = listen();
    await snapshot(listener, 1);
    fault = new Error("the disk is on fire");
    events.downloadChanged();
    expect(await listener.next()).toBeNull();
    expect(log.join("")).toContain("the disk is on fire");
    expect(await listen().next()).toBeNull();
    fault = undefined;
    expect(await snapshot(listen(), 1)).toEqual(["site-1 true"]);
  });
});

describe("a reader that comes back", () => {
  test("is told what ended meanwhile, in order, then the rest", async () => {
    const [one, two, three] = [await ask(1), await ask(2), await ask(3)];
    const listener = listen();
    await snapshot(listener, 4);
    const { id: lastId } = (await change(one, cancelled)) && (await listener.until(isEnd));
    await listener.close();
    await change(three, completed);
    await change(two, cancelled);
    await ask(4);
    const again = listen(lastId);
    expect(await snapshot(again, 4)).toEqual([
      "03 completed",
      "02 cancelled",
      "site-1 true",
      "04 queued",
    ]);
    const ids = again.heard.map((each) => Number(each.id));
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
  });

  test("is told again what it was told of before the connection broke, from any id on", async () => {
    const downloads = [];
    for (let n = 0; n < 5; n++) downloads.push(await ask(n));
    for (const download of downloads) await change(download, cancelled);
    for (let since = 5; since <= 10; since++) {
      const ended = (await snapshot(listen(String(since)), 11 - since)).slice(0, -1);
      expect(ended).toEqual(
        downloads.slice(since - 5).map((d) => `${d.downloadId.slice(-2)} cancelled`),
      );
    }
  });

  test("is told of every end, however many there were", async () => {
    const ends: string[] = [];
    for (let n = 0; n < 450; n++) {
      await change(await ask(n), n % 2 ? cancelled : completed);
      ends.push(id(n));
    }
    const listener = listen("0");
    await listener.until(({ event }) => event === "client");
    const ended = listener.heard
      .slice(0, -1)
      .map(({ data }) => (data as DownloadRecord).download_id);
    expect(ended).toEqual(ends);
  });

  test.each(["", "x", "-1", "1.5", "1e3", "9".repeat(16), "9".repeat(15), "1 1"])(
    "with the id %p, which none of ours is, is told what anybody is told",
    async (lastEventId) => {
      await change(await ask(1), cancelled);
      await ask(2);
      expect(await snapshot(listen(lastEventId), 2)).toEqual(["site-1 true", "02 queued"]);
    },
  );
});

describe("the events of one download", () => {
  test("are of it alone, and end with its end", async () => {
    const [one, two] = [await ask(1), await ask(2)];
    const listener = new Listener(feeds.of(one, LOCAL_ADMIN, asking()));
    expect(inShort(await listener.next())).toBe("queued");
    await change(two, cancelled);
    const running = await change(one, downloading);
    expect(inShort(await listener.next())).toBe("downloading");
    await change(running, completed);
    expect(await listener.rest()).toMatchObject([{ data: { status: "completed" } }]);
    expect(
      new Set(listener.heard.map(({ data }) => "download_id" in data && data.download_id)),
    ).toEqual(new Set([id(1)]));
    expect(events.readerCount).toBe(0);
  });

  test("are one where it has ended", async () => {
    const ended = await change(await ask(1), cancelled);
    const listener = new Listener(feeds.of(ended, LOCAL_ADMIN, asking()));
    expect(await listener.rest()).toMatchObject([
      { data: { status: "cancelled" }, id: String(ended.revision) },
    ]);
  });

  test("are none for a reader that knows the end, so that it does not come again", async () => {
    const ended = await change(await ask(1), cancelled);
    expect(feeds.of(ended, LOCAL_ADMIN, asking(String(ended.revision))).status).toBe(204);
    expect(feeds.of(ended, LOCAL_ADMIN, asking(String(ended.revision - 1))).status).toBe(200);
  });

  test("tell the end that came between the question and the answer", async () => {
    const before = await ask(1);
    const response = feeds.of(before, LOCAL_ADMIN, asking());
    await change(before, cancelled);
    expect((await new Listener(response).rest()).map(inShort)).toEqual(["cancelled"]);
  });
});

describe("progress", () => {
  /** A download that runs, and somebody who knows of it. */
  async function watched(): Promise<{ listener: Listener; download: Download }> {
    const download = await change(await ask(1), downloading);
    const listener = listen();
    await snapshot(listener, 2);
    return { listener, download };
  }

  test("is told at most 10 times a second, however fast bytes and checkpoints come", async () => {
    const { listener, download } = await watched();
    let row = download;
    let heard = 0;
    const counting = (async () => {
      for (; await listener.next();) heard++;
    })();
    for (let ms = 0; ms < 10_000; ms += 20) {
      progress.set(id(1), { bytesReceived: ms, bytesOnWire: ms, bytesPerSecond: ms });
      row = await change(row, { ...downloading, durableOffset: ms });
      events.downloadChanged();
      jest.advanceTimersByTime(20);
      await told();
    }
    events.close();
    await counting;
    expect(heard).toBeGreaterThan(30);
    expect(heard).toBeLessThanOrEqual(100);
  });

  test("is told of only where there is some", async () => {
    const { listener, download } = await watched();
    progress.set(id(1), { bytesReceived: 10, bytesOnWire: 10, bytesPerSecond: null });
    const first = listener.next();
    await pass(2_000);
    expect(await first).toMatchObject({ data: { bytes_received: 10 } });
    const second = listener.next();
    await pass(2_000);
    await change(download, cancelled);
    expect(inShort(await second)).toBe("cancelled");
  });

  test("is not told of after the end", async () => {
    const { listener, download } = await watched();
    await change(download, cancelled);
    progress.set(id(1), { bytesReceived: 10, bytesOnWire: 10, bytesPerSecond: null });
    await pass(1_000);
    const next = [await listener.next(), await listener.next()];
    expect(next.map(inShort)).toEqual(["cancelled", "client"]);
  });

  test("waits for a slow reader as one event, which gives way to the end", async () => {
    const { listener, download } = await watched();
    for (let bytes = 1; bytes <= 50; bytes++) {
      progress.set(id(1), { bytesReceived: bytes, bytesOnWire: bytes, bytesPerSecond: null });
      await pass(200);
    }
    expect(await listener.next()).toMatchObject({ data: { bytes_received: 50 } });
    progress.set(id(1), { bytesReceived: 51, bytesOnWire: 51, bytesPerSecond: null });
    await pass(200);
    await change(download, cancelled);
    await told();
    expect(inShort(await listener.next())).toBe("cancelled");
  });
});

describe("a reader", () => {
  test("misses nothing when another one joins", async () => {
    const download = await ask(1);
    const first = listen();
    await snapshot(first, 2);
    await rows.replaceDownload({ ...cancelled, downloadId: id(1), revision: download.revision });
    await snapshot(listen(), 1);
    events.downloadChanged();
    expect(inShort(await first.next())).toBe("cancelled");
  });

  test("is dropped when it takes nothing for two comments, and no other with it", async () => {
    const [dead, alive] = [listen(), listen()];
    await dead.next();
    await alive.next();
    const reading = alive.rest();
    await pass(14_000);
    expect(events.readerCount).toBe(2);
    await pass(32_000);
    // Its connection is reset, so that no memory is held for it.
    await expect(dead.next()).rejects.toBeUndefined();
    expect(events.readerCount).toBe(1);
    events.close();
    expect(await reading).toEqual([]);
  });

  test("that hangs up is forgotten at once", async () => {
    const response = feeds.all(LOCAL_ADMIN, asking());
    const reader = response.body!.getReader();
    await reader.read();
    expect(events.readerCount).toBe(1);
    await reader.cancel();
    expect(events.readerCount).toBe(0);
  });

  test("that hangs up before it was told anything is not kept", async () => {
    const reader = feeds.all(LOCAL_ADMIN, asking()).body!.getReader();
    const reading = reader.read();
    await reader.cancel();
    await reading;
    await told();
    expect(events.readerCount).toBe(0);
  });
});

const isEnd = (one: Told) =>
  one.event === "download" && ["completed", "failed", "cancelled"].includes(one.data.status);

test("whenever readers come and go, each one's last word on a download is how it is", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const base = seed * 100;
    const current = new Map<number, Download>();
    const words = new Map<string, string[]>();
    let lastId: string | null = null;
    let listener = listen(lastId);
    let pending: Promise<Told | null> | undefined;
    const hear = async () => {
      const next = await (pending ?? listener.next());
      pending = undefined;
      if (!next) return;
      lastId = next.id;
      if (next.event !== "download") return;
      const { download_id, status } = next.data;
      words.set(download_id, [...(words.get(download_id) ?? []), status]);
    };
    await hear();
    for (let step = 0; step < 120; step++) {
      const n = base + random.int(0, 9);
      const before = current.get(n);
      const roll = random.int(0, 9);
      if (!before) current.set(n, await ask(n));
      else if (roll < 6 && !hasEnded(before)) {
        const next = random.pick([queued(n), downloading, verifying, cancelled, completed]);
        current.set(n, await change(before, next));
      } else if (roll < 8) {
        // It may be in the midst of anything.
        pending ??= listener.next();
      } else if (roll === 8 && lastId !== null) {
        await listener.close();
        pending = undefined;
        listener = listen(lastId);
      } else jest.advanceTimersByTime(200);
    }
    const ends = [...current.values()].filter(hasEnded);
    await ask(base + 99);
    while (!words.has(id(base + 99))) await hear();
    for (const { downloadId, status } of ends) {
      expect(words.get(downloadId)?.at(-1), `seed ${seed}`).toBe(status);
      // Nothing comes after an end but the same end.
      const heard = words.get(downloadId) ?? [];
      expect(new Set(heard.slice(heard.indexOf(status))), `seed ${seed}`).toEqual(
        new Set([status]),
      );
    }
    await listener.close();
  }
});

describe("how many", () => {
  test("streams a token has open is bounded, until one of them ends", async () => {
    const other = { ...LOCAL_ADMIN, name: "other" };
    const streams = Array.from({ length: 200 }, () => feeds.all(LOCAL_ADMIN, asking()));
    const one = await ask(1);
    const refused = { code: "rate_limited", message: expect.stringContaining("200 streams") };
    expect(() => feeds.all(LOCAL_ADMIN, asking())).toThrow(expect.objectContaining(refused));
    expect(() => feeds.of(one, LOCAL_ADMIN, asking())).toThrow(expect.objectContaining(refused));
    streams.push(feeds.all(other, asking()));
    await streams[7]!.body!.cancel();
    streams.push(feeds.all(LOCAL_ADMIN, asking()));
    expect(() => feeds.all(LOCAL_ADMIN, asking())).toThrow();
    for (const { body } of streams) await body!.cancel();
  });

  test("streams are open in all is bounded", async () => {
    const streams = Array.from({ length: 1_000 }, (_, n) =>
      feeds.all({ ...LOCAL_ADMIN, name: `token-${n % 10}` }, asking()),
    );
    expect(() => feeds.all(LOCAL_ADMIN, asking())).toThrow("1000 streams");
    for (const { body } of streams) await body!.cancel();
    await feeds.all(LOCAL_ADMIN, asking()).body!.cancel();
  });

  test("ends a reader that comes back is told of is bounded: the latest ones, and from where", async () => {
    fillDatabase(`${folder}/state.db`, { downloads: 12_000, clients: 1 });
    const ends = await rows.endsBetween({ after: 0, upTo: 1e9, sites: null, limit: 1e6 });
    expect(ends.length).toBeGreaterThan(10_000);
    const response = feeds.all(LOCAL_ADMIN, asking("0"));
    const listener = new Listener(response);
    await listener.until(({ event }) => event === "client");
    const replayed = listener.heard
      .slice(0, -1)
      .map(({ data }) => "download_id" in data && data.download_id);
    expect(replayed).toEqual(ends.slice(-10_000).map(({ downloadId }) => downloadId));
    const again = feeds.all(LOCAL_ADMIN, asking("0")).body!.getReader();
    const start = new TextDecoder().decode((await again.read()).value);
    expect(start).toContain(`id: ${ends.at(-10_001)?.revision}\n`);
    await Promise.all([listener.close(), again.cancel()]);
  });
});

describe("a reader with a token", () => {
  const caller = (fields: Partial<Caller>) => ({ ...LOCAL_ADMIN, name: "till", ...fields });

  test("of some sites hears of nothing else, at first and later", async () => {
    known.push({ ...client("site-2"), connected: true });
    await ask(1, { clientId: "site-1" });
    await ask(2, { clientId: "site-2" });
    const sites = { ids: new Set(["site-2"]), selector: null };
    const response = feeds.all(caller({ sites }), asking("0"));
    await ask(3, { clientId: "site-1" });
    const last = await ask(4, { clientId: "site-2" });
    let text = "";
    for await (const piece of response.body!) {
      text += new TextDecoder().decode(piece);
      if (text.includes(last.downloadId)) break;
    }
    expect(text).toContain('"site-2"');
    expect(text).not.toContain("site-1");
  });

  test("is sent away at once when the token is revoked, and nobody else is", async () => {
    const mine = feeds.all(caller({}), asking()).body!.getReader();
    const other = feeds.all(caller({ name: "other" }), asking()).body!.getReader();
    await Promise.all([mine.read(), other.read()]);
    openCalls.end(({ name }) => name === "till");
    while (!(await mine.read()).done);
    expect(events.readerCount).toBe(1);
    await other.cancel();
  });

  test("is sent away when its right has expired", async () => {
    const mine = feeds.all(caller({ expiresAt: Date.now() + 60_000 }), asking()).body!.getReader();
    const reading = (async () => {
      while (!(await mine.read()).done);
    })();
    await pass(59_000);
    expect(events.readerCount).toBe(1);
    await pass(1_000);
    expect(events.readerCount).toBe(0);
    await reading;
  });
});
