import { describe, expect, jest, test } from "bun:test";
import { newDownload } from "../../../lib/server/download.ts";
import {
  ask,
  connected,
  dispatcher,
  given,
  log,
  looks,
  pass,
  settle,
  started,
  useDispatcher,
  wake,
} from "../../support/dispatcher.ts";
import { NOW, order } from "../../support/downloads.ts";

useDispatcher();

/* When the dispatcher checks again, and how it stops, on a fake clock. */

describe("a full disk", () => {
  test("lets nothing begin, and is looked at again after 5 s", async () => {
    given.queue = { a: ["a1"] };
    given.freeBytes = 499;
    await ask();
    await pass(4_999);
    expect([started, looks]).toEqual([[], 1]);
    await pass(1);
    expect([started, looks]).toEqual([[], 2]);
    expect(log.join("")).toContain("the disk is too full");
    given.freeBytes = 500;
    await pass(5_000);
    expect(started).toEqual(["a1"]);
  });

  test("is nobody's concern where nothing waits for it", async () => {
    given.freeBytes = 0;
    connected.clear();
    given.queue = { a: ["a1"] };
    await ask();
    await pass(60_000);
    expect([looks, log]).toEqual([1, []]);
  });
});

describe("a time that is to come", () => {
  test("is waited for", async () => {
    given.dueAt = NOW + 4_000;
    given.queue = { a: ["a1"] };
    await wake();
    await pass(3_999);
    expect(started).toEqual([]);
    await pass(1);
    expect(started).toEqual(["a1"]);
    await pass(600_000);
    expect(looks).toBe(2);
  });

  test("is waited for by a download that says so", async () => {
    given.dueAt = NOW + 4_000;
    given.queue = { a: ["a1"] };
    dispatcher.queued({ ...newDownload("", order("a", "a.bin"), NOW), notBefore: given.dueAt });
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
    given.reading = slow.promise;
    given.queue = { a: ["a1"] };
    given.dueAt = NOW + 250;
    await wake();
    jest.advanceTimersByTime(1000);
    slow.resolve();
    await settle();
    expect([started, looks]).toEqual([["a1"], 2]);
  });

  test("is found again where the clock was put back", async () => {
    given.queue = { a: ["a1"] };
    given.dueAt = NOW - 500;
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
    given.queue = { a: ["a1"], b: ["b1"] };
    given.elsewhere = { waiting: waitingOf("a"), upTo: 7 };
    await look(7);
    expect(started).toEqual(["a1"]);
    await look(7);
    const before = looks;
    for (let n = 0; n < 3; n++) await look(7);
    expect(looks).toBe(before);
    given.elsewhere = { waiting: waitingOf("b"), upTo: 8 };
    await look(8);
    expect(started).toEqual(["a1", "b1"]);
  });

  test("starts once another server has freed the slot, whatever has changed", async () => {
    given.queue = { a: ["a1"] };
    given.freeSlots = 0;
    given.elsewhere = { waiting: waitingOf("a"), upTo: 7 };
    await look(7);
    expect(started).toEqual([]);
    given.freeSlots = 1;
    await look(7);
    expect(started).toEqual(["a1"]);
  });
});

test("a database that fails is asked again after 5 s", async () => {
  given.queue = { a: ["a1"] };
  given.reading = Promise.reject(new Error("disk I/O error"));
  await ask();
  expect(log.join("")).toContain("disk I/O error");
  given.reading = Promise.resolve();
  await pass(4_999);
  expect(started).toEqual([]);
  await pass(1);
  expect(started).toEqual(["a1"]);
});

describe("once it is stopped", () => {
  test("nothing is claimed, whatever wakes it", async () => {
    await wake(NOW + 5_000);
    await dispatcher.stop();
    given.queue = { a: ["a1"] };
    await ask();
    await pass(60_000);
    expect([started, looks]).toEqual([[], 0]);
  });

  test("a claim that was on its way is handed over, and no other one is made", async () => {
    const slow = Promise.withResolvers<void>();
    given.queue = { a: ["a1", "a2"], b: ["b1"] };
    given.claims = slow.promise;
    await ask();
    const stopping = dispatcher.stop().then(() => started.push("stopped"));
    await settle();
    slow.resolve();
    await stopping;
    expect(started).toEqual(["a1", "stopped"]);
    await settle();
    expect(given.queue).toEqual({ a: ["a2"], b: ["b1"] });
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
    [given.queue, given.running, given.freeSlots] = [waits, busy, 0];
    await ask();
    expect([started, dispatcher.isCrowded()]).toEqual([[], crowded]);
  });
});
