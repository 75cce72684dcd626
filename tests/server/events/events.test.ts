import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { DownloadRecord } from "../../../lib/api/schemas.ts";
import { LOCAL_ADMIN } from "../../../lib/server/access/caller.ts";
import { inShort, Listener, type Told } from "../../support/events.ts";
import { cancelled, client, completed, downloading, id, verifying } from "../database/samples.ts";
import {
  ask,
  asking,
  calls,
  change,
  events,
  feeds,
  listen,
  log,
  pass,
  progress,
  snapshot,
  told,
  useEvents,
  world,
} from "./stage.ts";
import { TEST_LIMIT } from "../../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

useEvents();

const isEnd = (one: Told) =>
  one.event === "download" && ["completed", "failed", "cancelled"].includes(one.data.status);

describe("all events", () => {
  test("begin with the clients and what has not ended, then come changes", async () => {
    const first = await ask(1);
    await change(await ask(2), cancelled);
    await change(await ask(3), verifying);
    world.known.push({ ...client("site-2"), connected: false });
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
    world.known = [{ ...client("site-1"), connected: false }];
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
    // More requests than the number of streams that may be open at once.
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
    world.fault = new Error("the disk is on fire");
    events.downloadChanged();
    expect(await listener.next()).toBeNull();
    expect(log.join("")).toContain("the disk is on fire");
    expect(await listen().next()).toBeNull();
    world.fault = undefined;
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
    const listener = new Listener(feeds.forDownload(one, LOCAL_ADMIN, asking()));
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
    const listener = new Listener(feeds.forDownload(ended, LOCAL_ADMIN, asking()));
    expect(await listener.rest()).toMatchObject([
      { data: { status: "cancelled" }, id: String(ended.revision) },
    ]);
  });

  test("are none for a reader that knows the end, so that it does not come again", async () => {
    const ended = await change(await ask(1), cancelled);
    expect(feeds.forDownload(ended, LOCAL_ADMIN, asking(String(ended.revision))).status).toBe(204);
    expect(feeds.forDownload(ended, LOCAL_ADMIN, asking(String(ended.revision - 1))).status).toBe(
      200,
    );
  });

  test("tell the end that came between the question and the answer", async () => {
    const before = await ask(1);
    const response = feeds.forDownload(before, LOCAL_ADMIN, asking());
    await change(before, cancelled);
    expect((await new Listener(response).rest()).map(inShort)).toEqual(["cancelled"]);
  });
});
