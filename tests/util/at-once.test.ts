import { expect, test } from "bun:test";
import { atOnce } from "../../lib/util/at-once.ts";

test("so many run at a time, and all are done", async () => {
  let running = 0;
  let most = 0;
  const done: number[] = [];
  await atOnce(3, [0, 1, 2, 3, 4, 5, 6], async (item, index) => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
    expect(item).toBe(index);
    done.push(item);
  });
  expect(most).toBe(3);
  expect(done.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test("after an error none begins, and it is told once the others are over", async () => {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const begun: number[] = [];
  let isOver = false;
  const all = atOnce(2, [0, 1, 2, 3], async (item) => {
    begun.push(item);
    if (item === 0) throw new Error("the first");
    await late;
    isOver = true;
  });
  resolve();
  await expect(all).rejects.toThrow("the first");
  expect([begun, isOver]).toEqual([[0, 1], true]);
});

test("nothing is nothing to do", async () => {
  await atOnce(3, [], () => Promise.reject(new Error("no")));
});
