import { describe, expect, jest, setDefaultTimeout, test } from "bun:test";
import { type Download, hasEnded } from "../../../lib/server/download.ts";
import { type Caller, LOCAL_ADMIN } from "../../../lib/server/access/caller.ts";
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
import {
  ask,
  asking,
  change,
  events,
  feeds,
  folder,
  listen,
  openCalls,
  pass,
  rows,
  snapshot,
  told,
  useEvents,
  world,
} from "./stage.ts";
import { TEST_LIMIT } from "../../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

useEvents();

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
    // The reader's connection is reset, so that it uses no more memory.
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
        // A pending read may stay open during any of the other steps.
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
      // After the event that a download has ended, only the same event may come again.
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
    expect(() => feeds.forDownload(one, LOCAL_ADMIN, asking())).toThrow(
      expect.objectContaining(refused),
    );
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
    world.known.push({ ...client("site-2"), connected: true });
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
