import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { Dispatcher } from "../../../lib/server/downloads/dispatcher.ts";
import { newDownload } from "../../../lib/server/download.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { limitsOfJobs, type Waiting } from "../../../lib/server/database/repository.ts";
import type { ServerRows } from "../../../lib/server/servers/rows.ts";
import { claim, NOW, order } from "../../support/downloads.ts";

/* What is started, in which order and when, on a clock that tests move. */

/** What waits: the ids of each client's downloads, oldest first. */
let queue: Record<string, string[]>;
let connected: Set<string>;
let freeSlots: number;
let freeBytes: number;
/** When all that waits becomes due, ms since 1970; null: it is, and the dispatcher is told so. */
let dueAt: number | null;
/** How many downloads of a job may run. */
let most: Record<string, number>;
/** What reading the queue waits for, or fails with. */
let reading: Promise<void>;
/** What a claim waits for. */
let claims: Promise<void>;
/** How long the event loop is held up by a claim, in ms. */
let claimTakes: number;
/** Whether others have what a line may have, though it was not counted. */
let isTaken: (line: Waiting["line"]) => boolean;
/** How often a claim gave nothing for that. */
let refusals: number;
let started: string[];
/** How many downloads of a client run. */
let running: Record<string, number>;
/** What was started, none of which ends. */
let runs: Waiting[];
let looks: number;
/** What other servers let wait, up to a revision; null: this is the only server. */
let elsewhere: { waiting: Waiting[]; upTo: number } | null;
let log: string[];
let dispatcher: Dispatcher;

beforeEach(() => {
  jest.useFakeTimers();
  jest.setSystemTime(NOW);
  queue = {};
  connected = new Set(["a", "b", "c"]);
  freeSlots = 100;
  freeBytes = 1000;
  dueAt = null;
  most = {};
  reading = claims = Promise.resolve();
  claimTakes = 0;
  isTaken = () => false;
  refusals = 0;
  started = [];
  running = {};
  runs = [];
  looks = 0;
  elsewhere = null;
  log = [];
  dispatcher = new Dispatcher({
    repository: {
      async waitingFor(clientId) {
        return waiting().filter((one) => one.clientId === clientId);
      },
      async dueSince(after, now) {
        looks++;
        await reading;
        const isDue = dueAt !== null && dueAt > after && dueAt <= now;
        return isDue ? waiting() : [];
      },
      async claimDownload(clientId, line) {
        await claims;
        if (claimTakes > 0) jest.advanceTimersByTime(claimTakes);
        if (isTaken(line)) {
          refusals++;
          return null;
        }
        const at = (queue[clientId] ?? []).findIndex((id) => lineOf(id) === line);
        const [id] = at < 0 ? [] : queue[clientId]!.splice(at, 1);
        if (id === undefined) return null;
        freeSlots--;
        runs.push({ clientId, line });
        return claim(newDownload(id, order(clientId, "a.bin", { jobId: line }), NOW), NOW);
      },
      get servers() {
        return elsewhere && ({ waitingSince: async () => elsewhere } as unknown as ServerRows);
      },
      countActiveLines: async () =>
        [
          { clientId: "others", line: null, active: 100 - freeSlots - runs.length },
          ...runs.map((one) => ({ ...one, active: 1 })),
          ...Object.entries(running).map(([clientId, active]) => {
            return { clientId, line: null, active };
          }),
        ].map((one) => ({ ...one, own: one.active })),
      nextDueAt: async (now) => (dueAt !== null && dueAt > now ? dueAt : null),
    },
    storage: { freeSpace: async () => ({ free: freeBytes, total: 2000 }) },
    limits: { total: 100, perClient: 20 },
    mostOf: async (jobId) => most[jobId] ?? Infinity,
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

/** The real setImmediate, as tests put fake timers in its place. */
const atNextRound = setImmediate;

/** Rounds of the event loop: more than a test has steps, each of which may wait for the next round. */
const ROUNDS = 30;

/** Lets everything happen that waits for no clock. */
async function settle(): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    await new Promise((resolve) => void atNextRound(resolve));
  }
}

/** The line of a download: `a1` belongs to none, `x.a1` to the job x. */
const lineOf = (id: string) => (id.includes(".") ? id.split(".")[0]! : null);

function waiting(): Waiting[] {
  return Object.entries(queue).flatMap(([clientId, ids]) =>
    ids.map((id) => ({ clientId, line: lineOf(id) })),
  );
}

/** Tells of all that waits, and lets come of it what will. */
async function ask(): Promise<void> {
  for (const { clientId, line } of waiting()) {
    const download = newDownload("", order(clientId, "a.bin", { jobId: line }), Date.now());
    dispatcher.queued(download);
  }
  await settle();
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
    await ask();
    expect(started).toEqual(["a1", "b1", "c1", "a2", "c2"]);
    freeSlots = 5;
    await wake();
    expect(started.slice(5)).toEqual(["a3", "a4"]);
  });

  test("in turns also where one slot at a time becomes free", async () => {
    queue = { a: ["a1", "a2", "a3"], b: ["b1", "b2"] };
    freeSlots = 0;
    await ask();
    for (freeSlots = 1; started.length < 5; freeSlots = 1) await wake();
    expect(started).toEqual(["a1", "b1", "a2", "b2", "a3"]);
  });

  test("where its client is connected, and when it comes", async () => {
    connected.delete("a");
    queue = { a: ["a1"], b: ["b1"] };
    await ask();
    expect(started).toEqual(["b1"]);
    connected.add("a");
    dispatcher.clientRegistered("a");
    await settle();
    expect(started).toEqual(["b1", "a1"]);
  });

  test("but not for a client that leaves while others are served", async () => {
    const slow = Promise.withResolvers<void>();
    queue = { a: ["a1"], b: ["b1"] };
    claims = slow.promise;
    await ask();
    connected.delete("b");
    slow.resolve();
    await settle();
    expect(started).toEqual(["a1"]);
    expect(queue["b"]).toEqual(["b1"]);
  });

  test("as many of each client as it may have", async () => {
    queue = { a: ["a1", "a2", "a3"], b: ["b1"] };
    running = { a: 19 };
    await ask();
    expect(started).toEqual(["a1", "b1"]);
  });

  test("also when it was told of while the queue was being read, or claimed from", async () => {
    const [reads, claimed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    [reading, claims] = [reads.promise, claimed.promise];
    await wake();
    queue = { a: ["a1"] };
    await ask();
    await wake();
    expect(looks).toBe(1);
    reads.resolve();
    await settle();
    queue["b"] = ["b1"];
    await ask();
    claimed.resolve();
    await settle();
    expect(started).toEqual(["a1", "b1"]);
    expect(looks, "those that came in the meantime are one look").toBe(2);
  });

  test("also where it came just when there was nothing to be claimed", async () => {
    const claimed = Promise.withResolvers<void>();
    claims = claimed.promise;
    queue = { a: ["a1"] };
    await ask();
    queue = { a: [] };
    claimed.resolve();
    const soon = Promise.resolve().then(() => {
      queue = { a: ["a2"] };
      return ask();
    });
    await soon;
    await settle();
    expect(started).toEqual(["a2"]);
  });
});

test("many claims that take long come in several rounds of the event loop", async () => {
  queue = { a: Array.from({ length: 10 }, (_, n) => `a${n}`) };
  claimTakes = 3;
  const asked = ask();
  await new Promise((resolve) => void atNextRound(resolve));
  expect(started.length).toBeLessThan(5);
  await asked;
  expect(started).toHaveLength(10);
});

describe("where others took the slot since it was counted", () => {
  test.each<[string, Waiting["line"], string[]]>([
    ["a job", "x", ["a1", "b1", "x.a1", "x.b1"]],
    ["a client", null, ["x.a1", "x.b1", "a1", "b1"]],
  ])("%s waits, others do not, and it is tried again after 1 s", async (_, taken, inOrder) => {
    queue = { a: ["a1", "x.a1"], b: ["b1", "x.b1"] };
    isTaken = (line) => line === taken;
    await ask();
    expect(started).toEqual(inOrder.slice(0, 2));
    isTaken = () => false;
    await pass(999);
    expect(started).toHaveLength(2);
    await pass(1);
    expect(started).toEqual(inOrder);
  });

  test("one client of a job is tried, not all", async () => {
    queue = { a: ["x.a1"], b: ["x.b1"], c: ["x.c1"] };
    isTaken = () => true;
    await ask();
    refusals = 0;
    await pass(1_000);
    expect(refusals).toBe(1);
  });
});

describe("jobs", () => {
  test("and single downloads take turns, whatever was there first", async () => {
    queue = { a: ["x.a1", "y.a1", "a1"], b: ["x.b1", "b1"], c: ["x.c1"] };
    freeSlots = 0;
    await ask();
    for (freeSlots = 1; started.length < 6; freeSlots = 1) await wake();
    expect(started).toEqual(["a1", "b1", "x.a1", "y.a1", "x.b1", "x.c1"]);
  });

  test("leave some slots to single downloads, in all and of each client", async () => {
    queue = { a: ["x.a1", "a1"], b: ["y.b1"] };
    freeSlots = 100;
    runs = Array.from({ length: 86 }, () => ({ clientId: "c", line: "z" }));
    await ask();
    expect(started).toEqual(["a1", "x.a1"]);
    expect(limitsOfJobs({ total: 100, perClient: 20 })).toEqual({ total: 87, perClient: 19 });
    expect(limitsOfJobs({ total: 2, perClient: 2 })).toEqual({ total: 1, perClient: 1 });
    expect(limitsOfJobs({ total: 1, perClient: 1 })).toEqual({ total: 1, perClient: 1 });
  });

  test("start no more than they let run, and go on when they let more", async () => {
    queue = { a: ["x.a1"], b: ["x.b1"], c: ["x.c1", "y.c1"] };
    most = { x: 1, y: 0 };
    await ask();
    expect(started).toEqual(["x.a1"]);
    most = { x: 3, y: 1 };
    await wake();
    expect(started).toEqual(["x.a1", "y.c1", "x.b1", "x.c1"]);
  });

  test("that let nothing run make nobody wait for a slot", async () => {
    queue = { a: ["x.a1"] };
    most = { x: 0 };
    await ask();
    expect([started, dispatcher.isCrowded()]).toEqual([[], false]);
  });
});

describe("a full disk", () => {
  test("lets nothing begin, and is looked at again after 5 s", async () => {
    queue = { a: ["a1"] };
    freeBytes = 499;
    await ask();
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
    await ask();
    await pass(60_000);
    expect([looks, log]).toEqual([1, []]);
  });
});

describe("a time that is to come", () => {
  test("is waited for", async () => {
    dueAt = NOW + 4_000;
    queue = { a: ["a1"] };
    await wake();
    await pass(3_999);
    expect(started).toEqual([]);
    await pass(1);
    expect(started).toEqual(["a1"]);
    await pass(600_000);
    expect(looks).toBe(2);
  });

  test("is waited for by a download that says so", async () => {
    dueAt = NOW + 4_000;
    queue = { a: ["a1"] };
    dispatcher.queued({ ...newDownload("", order("a", "a.bin"), NOW), notBefore: dueAt });
    await pass(3_999);
    expect([started, looks]).toEqual([[], 0]);
    await pass(1);
    expect(started).toEqual(["a1"]);
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

  test("is not missed where it comes while the queue is being read", async () => {
    const slow = Promise.withResolvers<void>();
    reading = slow.promise;
    queue = { a: ["a1"] };
    dueAt = NOW + 250;
    await wake();
    jest.advanceTimersByTime(1000);
    slow.resolve();
    await settle();
    expect([started, looks]).toEqual([["a1"], 2]);
  });

  test("is found again where the clock was put back", async () => {
    queue = { a: ["a1"] };
    dueAt = NOW - 500;
    jest.setSystemTime(NOW - 400);
    await wake();
    expect(started).toEqual(["a1"]);
  });
});

describe("what other servers queue", () => {
  const look = async (revision: number) => {
    dispatcher.lookElsewhere(revision);
    await settle();
  };
  const waitingOf = (clientId: string) => [{ clientId, line: null }];

  test("is looked for only where downloads have changed", async () => {
    queue = { a: ["a1"], b: ["b1"] };
    elsewhere = { waiting: waitingOf("a"), upTo: 7 };
    await look(7);
    expect(started).toEqual(["a1"]);
    await look(7);
    const before = looks;
    for (let n = 0; n < 3; n++) await look(7);
    expect(looks).toBe(before);
    elsewhere = { waiting: waitingOf("b"), upTo: 8 };
    await look(8);
    expect(started).toEqual(["a1", "b1"]);
  });

  test("starts once another server has freed the slot, whatever has changed", async () => {
    queue = { a: ["a1"] };
    freeSlots = 0;
    elsewhere = { waiting: waitingOf("a"), upTo: 7 };
    await look(7);
    expect(started).toEqual([]);
    freeSlots = 1;
    await look(7);
    expect(started).toEqual(["a1"]);
  });
});

test("a database that fails is asked again after 5 s", async () => {
  queue = { a: ["a1"] };
  reading = Promise.reject(new Error("disk I/O error"));
  await ask();
  expect(log.join("")).toContain("disk I/O error");
  reading = Promise.resolve();
  await pass(4_999);
  expect(started).toEqual([]);
  await pass(1);
  expect(started).toEqual(["a1"]);
});

describe("once it is stopped", () => {
  test("nothing is claimed, whatever wakes it", async () => {
    await wake(NOW + 5_000);
    await dispatcher.stop();
    queue = { a: ["a1"] };
    await ask();
    await pass(60_000);
    expect([started, looks]).toEqual([[], 0]);
  });

  test("a claim that was on its way is handed over, and no other one is made", async () => {
    const slow = Promise.withResolvers<void>();
    queue = { a: ["a1", "a2"], b: ["b1"] };
    claims = slow.promise;
    await ask();
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
    ["which may have another one", { a: ["a1"] }, { a: 19 }, true],
    ["but has as many as it may", { a: ["a1"] }, { a: 20 }, false],
    ["but is away", { away: ["x1"] }, {}, false],
    ["where nothing is due", {}, {}, false],
  ])("%s", async (_, waits, busy, crowded) => {
    [queue, running, freeSlots] = [waits, busy, 0];
    await ask();
    expect([started, dispatcher.isCrowded()]).toEqual([[], crowded]);
  });
});
