import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { Dispatcher } from "../../../lib/server/downloads/dispatcher.ts";
import { newDownload } from "../../../lib/server/download.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { claim, NOW, order } from "../../support/downloads.ts";

/* What is started, in which order and when, on a clock that tests move. */

/** What waits: the ids of each client's downloads, oldest first. */
let queue: Record<string, string[]>;
let connected: Set<string>;
let freeSlots: number;
let freeBytes: number;
/** When the next download becomes due, ms since 1970. */
let nextDueAt: number | null;
/** What reading the queue waits for, or fails with. */
let reading: Promise<void>;
/** What a claim waits for. */
let claims: Promise<void>;
let started: string[];
/** How many downloads of a client run. */
let running: Record<string, number>;
let looks: number;
let log: string[];
let dispatcher: Dispatcher;

beforeEach(() => {
  jest.useFakeTimers();
  jest.setSystemTime(NOW);
  queue = {};
  connected = new Set(["a", "b", "c"]);
  freeSlots = 100;
  freeBytes = 1000;
  nextDueAt = null;
  reading = claims = Promise.resolve();
  started = [];
  running = {};
  looks = 0;
  log = [];
  dispatcher = new Dispatcher({
    repository: {
      async clientsWithDueDownloads() {
        looks++;
        await reading;
        return Object.keys(queue).filter((clientId) => queue[clientId]!.length > 0);
      },
      async claimDownload(clientId) {
        await claims;
        if (freeSlots <= 0) return null;
        const id = queue[clientId]?.shift();
        if (id === undefined) return null;
        freeSlots--;
        return claim(newDownload(id, order(clientId, "a.bin"), NOW), NOW);
      },
      countActive: async () => new Map([["a", 100 - freeSlots]]),
      nextDueAt: async (now) => (nextDueAt !== null && nextDueAt > now ? nextDueAt : null),
    },
    storage: { freeSpace: async () => ({ free: freeBytes, total: 2000 }) },
    limits: { total: 100, perClient: 2 },
    runningOf: (clientId) => running[clientId] ?? 0,
    minFreeDisk: 500,
    isConnected: (clientId) => connected.has(clientId),
    start: ({ downloadId }) => started.push(downloadId),
    logger: new Logger({ level: "info", format: "json", write: (line) => log.push(line) }),
  });
});
afterEach(async () => {
  await dispatcher.stop();
  jest.useRealTimers();
});

/** Lets everything happen that waits for no clock. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
}

async function wake(at?: number): Promise<void> {
  dispatcher.wake(at);
  await settle();
}

async function pass(ms: number): Promise<void> {
  jest.advanceTimersByTime(ms);
  await settle();
}

describe("what is due is started", () => {
  test("in turns, so that a long queue does not take all the slots", async () => {
    queue = { a: ["a1", "a2", "a3", "a4"], b: ["b1"], c: ["c1", "c2"] };
    freeSlots = 5;
    await wake();
    expect(started).toEqual(["a1", "b1", "c1", "a2", "c2"]);
    freeSlots = 5;
    await wake();
    expect(started.slice(5)).toEqual(["a3", "a4"]);
  });

  test("in turns also where one slot at a time becomes free", async () => {
    queue = { a: ["a1", "a2", "a3"], b: ["b1", "b2"] };
    for (freeSlots = 1; started.length < 5; freeSlots = 1) await wake();
    expect(started).toEqual(["a1", "b1", "a2", "b2", "a3"]);
  });

  test("where its client is connected", async () => {
    connected.delete("a");
    queue = { a: ["a1"], b: ["b1"] };
    await wake();
    expect(started).toEqual(["b1"]);
    connected.add("a");
    await wake();
    expect(started).toEqual(["b1", "a1"]);
  });

  test("but not for a client that leaves while others are served", async () => {
    const slow = Promise.withResolvers<void>();
    queue = { a: ["a1"], b: ["b1"] };
    claims = slow.promise;
    await wake();
    connected.delete("b");
    slow.resolve();
    await settle();
    expect(started).toEqual(["a1"]);
    expect(queue["b"]).toEqual(["b1"]);
  });

  test("also when it became due while the queue was being read", async () => {
    const slow = Promise.withResolvers<void>();
    reading = slow.promise;
    await wake();
    nextDueAt = NOW + 250;
    jest.advanceTimersByTime(1000);
    slow.resolve();
    await settle();
    expect(looks, "nothing else would wake it").toBe(2);
  });

  test("also when it came while the queue was being read", async () => {
    const slow = Promise.withResolvers<void>();
    reading = slow.promise;
    await wake();
    queue = { a: [] };
    await wake();
    await wake();
    expect(looks).toBe(1);
    slow.resolve();
    queue = { a: ["a1"] };
    await settle();
    expect(started).toEqual(["a1"]);
    expect(looks, "those that came in the meantime are one look").toBe(2);
  });
});

describe("a full disk", () => {
  test("lets nothing begin, and is looked at again after 5 s", async () => {
    queue = { a: ["a1"] };
    freeBytes = 499;
    await wake();
    await pass(4_999);
    expect([started, looks]).toEqual([[], 1]);
    await pass(1);
    expect([started, looks]).toEqual([[], 2]);
    expect(log.join("")).toContain("the disk is too full");
    freeBytes = 500;
    await pass(5_000);
    expect(started).toEqual(["a1"]);
  });

  test("is nobody's concern where nothing waits for it", async () => {
    freeBytes = 0;
    connected.clear();
    queue = { a: ["a1"] };
    await wake();
    await pass(60_000);
    expect([looks, log]).toEqual([1, []]);
  });
});

describe("a time that is to come", () => {
  test("is waited for", async () => {
    nextDueAt = NOW + 4_000;
    await wake();
    nextDueAt = null;
    queue = { a: ["a1"] };
    await pass(3_999);
    expect(started).toEqual([]);
    await pass(1);
    expect(started).toEqual(["a1"]);
    await pass(600_000);
    expect(looks).toBe(2);
  });

  test("gives way to an earlier one, not to a later one", async () => {
    await wake(NOW + 10_000);
    await wake(NOW + 3_000);
    await wake(NOW + 20_000);
    await pass(2_999);
    expect(looks).toBe(0);
    await pass(1);
    expect(looks).toBe(1);
  });

  test("is no further away than a minute, as the clock may have been put back", async () => {
    await wake(NOW + 86_400_000);
    await pass(59_999);
    expect(looks).toBe(0);
    await pass(1);
    expect(looks).toBe(1);
  });
});

test("a database that fails is asked again after 5 s", async () => {
  queue = { a: ["a1"] };
  reading = Promise.reject(new Error("disk I/O error"));
  await wake();
  expect(log.join("")).toContain("disk I/O error");
  reading = Promise.resolve();
  await pass(4_999);
  expect(started).toEqual([]);
  await pass(1);
  expect(started).toEqual(["a1"]);
});

describe("once it is stopped", () => {
  test("nothing is claimed, whatever wakes it", async () => {
    queue = { a: ["a1"] };
    await wake(NOW + 5_000);
    await dispatcher.stop();
    await wake();
    await pass(60_000);
    expect([started, looks]).toEqual([[], 0]);
  });

  test("a claim that was on its way is handed over, and no other one is made", async () => {
    const slow = Promise.withResolvers<void>();
    queue = { a: ["a1", "a2"], b: ["b1"] };
    claims = slow.promise;
    await wake();
    const stopping = dispatcher.stop().then(() => started.push("stopped"));
    await settle();
    slow.resolve();
    await stopping;
    expect(started).toEqual(["a1", "stopped"]);
    await settle();
    expect(queue).toEqual({ a: ["a2"], b: ["b1"] });
  });
});

describe("a client waits for a slot that others have", () => {
  test.each<[string, Record<string, string[]>, Record<string, number>, boolean]>([
    ["which is connected, and has none", { a: ["a1"] }, {}, true],
    ["which may have another one", { a: ["a1"] }, { a: 1 }, true],
    ["but has as many as it may", { a: ["a1"] }, { a: 2 }, false],
    ["but is away", { away: ["x1"] }, {}, false],
    ["where nothing is due", {}, {}, false],
  ])("%s", async (_, waiting, runs, crowded) => {
    [queue, running] = [waiting, runs];
    expect(await dispatcher.isCrowded()).toBe(crowded);
  });

  test("and that is looked up now and then, however many ask", async () => {
    queue = { a: ["a1"] };
    const answers = await Promise.all([1, 2, 3].map(() => dispatcher.isCrowded()));
    expect([answers, looks]).toEqual([[true, true, true], 1]);
    queue = {};
    await pass(3_000);
    expect([await dispatcher.isCrowded(), looks]).toEqual([false, 2]);
  });
});
