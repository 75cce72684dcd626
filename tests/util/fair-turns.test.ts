import { expect, test } from "bun:test";
import { FairTurns } from "../../lib/util/fair-turns.ts";

/** A FairTurns, on a clock that only its work advances. */
function turnsOf() {
  let now = 0;
  const turns = new FairTurns(() => now);
  const done: string[] = [];
  /** Runs a piece of the owner's work that takes `ms` milliseconds. */
  const piece = (owner: string, name: string, ms = 0) =>
    turns.run(owner, async () => {
      now += ms;
      done.push(name);
      return name;
    });
  return { turns, done, piece };
}

test("a piece gives what it gives, or its error, and the next one goes on", async () => {
  const { turns, piece } = turnsOf();
  const fails = turns.run("a", () => Promise.reject(new Error("the disk is on fire")));
  const next = piece("a", "a2");
  await expect(fails).rejects.toThrow("on fire");
  expect(await next).toBe("a2");
});

test("owners take turns: who asks for much does not keep who asks for little waiting", async () => {
  const { done, piece } = turnsOf();
  const all = ["a1", "a2", "a3", "a4"].map((name) => piece("a", name));
  all.push(piece("b", "b1"), piece("c", "c1"), piece("b", "b2"));
  await Promise.all(all);
  expect(done).toEqual(["a1", "a2", "b1", "c1", "a3", "b2", "a4"]);
});

test("one piece runs at a time, however long it waits for something", async () => {
  const { turns, done, piece } = turnsOf();
  const held = Promise.withResolvers<void>();
  const first = turns.run("a", async () => {
    await held.promise;
    done.push("a1");
  });
  const second = piece("b", "b1");
  await new Promise((resolve) => setImmediate(resolve));
  expect(done).toEqual([]);
  expect(turns.waitingOf("b")).toBe(1);
  held.resolve();
  await Promise.all([first, second]);
  expect(done).toEqual(["a1", "b1"]);
  expect(turns.waitingOf("b")).toBe(0);
});

test("what is too much for a round of the event loop goes on in the next ones", async () => {
  const { done, piece } = turnsOf();
  const all = ["a1", "a2", "a3", "a4", "a5"].map((name) => piece("a", name, 1));
  // Other work of the event loop, such as a call or another connection.
  setImmediate(() => done.push("else 1"));
  await all[2];
  setImmediate(() => done.push("else 2"));
  await Promise.all(all);
  expect(done).toEqual(["a1", "a2", "else 1", "a3", "a4", "else 2", "a5"]);
});

test("the time of a round is one for pieces that come one by one, too", async () => {
  const { done, piece } = turnsOf();
  await piece("a", "a1", 5);
  setImmediate(() => done.push("else"));
  await piece("b", "b1", 5);
  expect(done).toEqual(["a1", "else", "b1"]);
});
