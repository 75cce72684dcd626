import { describe, expect, test } from "bun:test";
import { limitsOfJobs, type Waiting } from "../../../lib/server/database/repository.ts";
import {
  ask,
  atNextRound,
  connected,
  dispatcher,
  given,
  looks,
  pass,
  settle,
  started,
  useDispatcher,
  wake,
} from "../../support/dispatcher.ts";

useDispatcher();

/* Which downloads the dispatcher starts, in which order and when, on a fake clock. */

describe("what is due is started", () => {
  test("in turns, so that a long queue does not take all the slots", async () => {
    given.queue = { a: ["a1", "a2", "a3", "a4"], b: ["b1"], c: ["c1", "c2"] };
    given.freeSlots = 5;
    await ask();
    expect(started).toEqual(["a1", "b1", "c1", "a2", "c2"]);
    given.freeSlots = 5;
    await wake();
    expect(started.slice(5)).toEqual(["a3", "a4"]);
  });

  test("in turns also where one slot at a time becomes free", async () => {
    given.queue = { a: ["a1", "a2", "a3"], b: ["b1", "b2"] };
    given.freeSlots = 0;
    await ask();
    for (given.freeSlots = 1; started.length < 5; given.freeSlots = 1) await wake();
    expect(started).toEqual(["a1", "b1", "a2", "b2", "a3"]);
  });

  test("where its client is connected, and when it comes", async () => {
    connected.delete("a");
    given.queue = { a: ["a1"], b: ["b1"] };
    await ask();
    expect(started).toEqual(["b1"]);
    connected.add("a");
    dispatcher.clientRegistered("a");
    await settle();
    expect(started).toEqual(["b1", "a1"]);
  });

  test("but not for a client that leaves while others are served", async () => {
    const slow = Promise.withResolvers<void>();
    given.queue = { a: ["a1"], b: ["b1"] };
    given.claims = slow.promise;
    await ask();
    connected.delete("b");
    slow.resolve();
    await settle();
    expect(started).toEqual(["a1"]);
    expect(given.queue["b"]).toEqual(["b1"]);
  });

  test("as many of each client as it may have", async () => {
    given.queue = { a: ["a1", "a2", "a3"], b: ["b1"] };
    given.running = { a: 19 };
    await ask();
    expect(started).toEqual(["a1", "b1"]);
  });

  test("also when it was told of while the queue was being read, or claimed from", async () => {
    const [reads, claimed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    [given.reading, given.claims] = [reads.promise, claimed.promise];
    await wake();
    given.queue = { a: ["a1"] };
    await ask();
    await wake();
    expect(looks).toBe(1);
    reads.resolve();
    await settle();
    given.queue["b"] = ["b1"];
    await ask();
    claimed.resolve();
    await settle();
    expect(started).toEqual(["a1", "b1"]);
    expect(looks, "those that came in the meantime are one look").toBe(2);
  });

  test("also where it came just when there was nothing to be claimed", async () => {
    const claimed = Promise.withResolvers<void>();
    given.claims = claimed.promise;
    given.queue = { a: ["a1"] };
    await ask();
    given.queue = { a: [] };
    claimed.resolve();
    const soon = Promise.resolve().then(() => {
      given.queue = { a: ["a2"] };
      return ask();
    });
    await soon;
    await settle();
    expect(started).toEqual(["a2"]);
  });
});

test("many claims that take long come in several rounds of the event loop", async () => {
  given.queue = { a: Array.from({ length: 10 }, (_, n) => `a${n}`) };
  given.claimTakes = 3;
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
    given.queue = { a: ["a1", "x.a1"], b: ["b1", "x.b1"] };
    given.isTaken = (line) => line === taken;
    await ask();
    expect(started).toEqual(inOrder.slice(0, 2));
    given.isTaken = () => false;
    await pass(999);
    expect(started).toHaveLength(2);
    await pass(1);
    expect(started).toEqual(inOrder);
  });

  test("one client of a job is tried, not all", async () => {
    given.queue = { a: ["x.a1"], b: ["x.b1"], c: ["x.c1"] };
    given.isTaken = () => true;
    await ask();
    given.refusals = 0;
    await pass(1_000);
    expect(given.refusals).toBe(1);
  });
});

describe("jobs", () => {
  test("and single downloads take turns, whatever was there first", async () => {
    given.queue = { a: ["x.a1", "y.a1", "a1"], b: ["x.b1", "b1"], c: ["x.c1"] };
    given.freeSlots = 0;
    await ask();
    for (given.freeSlots = 1; started.length < 6; given.freeSlots = 1) await wake();
    expect(started).toEqual(["a1", "b1", "x.a1", "y.a1", "x.b1", "x.c1"]);
  });

  test("leave some slots to single downloads, in all and of each client", async () => {
    given.queue = { a: ["x.a1", "a1"], b: ["y.b1"] };
    given.freeSlots = 100;
    given.runs = Array.from({ length: 86 }, () => ({ clientId: "c", line: "z" }));
    await ask();
    expect(started).toEqual(["a1", "x.a1"]);
    expect(limitsOfJobs({ total: 100, perClient: 20 })).toEqual({ total: 87, perClient: 19 });
    expect(limitsOfJobs({ total: 2, perClient: 2 })).toEqual({ total: 1, perClient: 1 });
    expect(limitsOfJobs({ total: 1, perClient: 1 })).toEqual({ total: 1, perClient: 1 });
  });

  test("start no more than they let run, and go on when they let more", async () => {
    given.queue = { a: ["x.a1"], b: ["x.b1"], c: ["x.c1", "y.c1"] };
    given.most = { x: 1, y: 0 };
    await ask();
    expect(started).toEqual(["x.a1"]);
    given.most = { x: 3, y: 1 };
    await wake();
    expect(started).toEqual(["x.a1", "y.c1", "x.b1", "x.c1"]);
  });

  test("that let nothing run make nobody wait for a slot", async () => {
    given.queue = { a: ["x.a1"] };
    given.most = { x: 0 };
    await ask();
    expect([started, dispatcher.isCrowded()]).toEqual([[], false]);
  });
});
