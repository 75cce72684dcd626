import { expect, test } from "bun:test";
import { EventLoopBudget } from "../../lib/util/event-loop-budget.ts";

/** An EventLoopBudget, on a clock that only its work advances. */
function turnsOf() {
  let now = 0;
  const turns = new EventLoopBudget(() => now);
  const done: string[] = [];
  /** Runs work that takes `ms` milliseconds. */
  const work = (name: string, ms: number) =>
    turns.run(() => {
      now += ms;
      done.push(name);
      return name;
    });
  return { turns, done, work };
}

const nextRound = () => new Promise<void>((resolve) => setImmediate(resolve));

test("is done at once while the round has time left", async () => {
  const { done, work } = turnsOf();
  const all = ["a", "b", "c"].map((name) => work(name, 0.5));
  expect(done).toEqual(["a", "b", "c"]);
  expect(await Promise.all(all)).toEqual(["a", "b", "c"]);
});

test("what is too much for a round is done in the next ones, in order, and others come in between", async () => {
  const { done, work } = turnsOf();
  for (const name of ["a", "b", "c", "d", "e"]) void work(name, 1.5);
  expect(done).toEqual(["a", "b"]);
  setImmediate(() => done.push("a call"));
  await nextRound();
  expect(done).toEqual(["a", "b", "c", "d", "a call"]);
  await nextRound();
  expect(done).toEqual(["a", "b", "c", "d", "a call", "e"]);
});

test("who comes later waits behind those who wait", async () => {
  const { done, work } = turnsOf();
  for (const name of ["a", "b", "c"]) void work(name, 2);
  await nextRound();
  void work("d", 0);
  expect(done).toEqual(["a", "b"]);
  await nextRound();
  await nextRound();
  expect(done).toEqual(["a", "b", "c", "d"]);
});

test("work that takes longer than a round is done alone", async () => {
  const { done, work } = turnsOf();
  const all = ["a", "b", "c"].map((name) => work(name, 100));
  await Promise.all(all);
  expect(done).toEqual(["a", "b", "c"]);
});

test("an error is told to whoever asked, and the next one goes on", async () => {
  const { turns, done, work } = turnsOf();
  const fail = () => {
    throw new Error("it broke");
  };
  await expect(turns.run(fail)).rejects.toThrow("it broke");
  void work("a", 5);
  const later = [turns.run(fail), work("b", 1)];
  expect(await Promise.allSettled(later)).toMatchObject([
    { status: "rejected", reason: new Error("it broke") },
    { status: "fulfilled", value: "b" },
  ]);
  expect(done).toEqual(["a", "b"]);
});
