import { expect, test } from "bun:test";
import { WaitingChanges } from "../../../lib/server/database/waiting-changes.ts";
import { nextRound } from "../../../lib/util/fair-turns.ts";

let now = 0;
const made: number[] = [];

/** Waits for its turn, then makes a change, which takes 1 ms of the fake clock. */
async function change(waiting: WaitingChanges, number: number): Promise<void> {
  const turn = waiting.takeTurn();
  if (turn) await turn;
  now++;
  made.push(number);
}

test("changes wait, are made in several rounds of the event loop, and in the order of the calls", async () => {
  const waiting = new WaitingChanges(() => now);
  await change(waiting, 0);
  waiting.hold();
  const changes = Array.from({ length: 10 }, (_, n) => change(waiting, n + 1));
  await nextRound();
  expect(made).toEqual([0]);

  const released = waiting.release();
  await nextRound();
  expect(made.length).toBeLessThan(6);
  changes.push(change(waiting, 11));
  await Promise.all([released, ...changes]);
  expect(made).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  await change(waiting, 12);
  expect(made.at(-1)).toBe(12);
  expect(waiting.takeTurn()).toBeUndefined();
});
