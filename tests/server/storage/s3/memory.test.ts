import { expect, test } from "bun:test";
import { Memory } from "../../../../lib/server/storage/s3/memory.ts";

/** Reports whether a promise has settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = {};
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

test("who wants more than there is waits in line, the first one first", async () => {
  const memory = new Memory(100);
  await memory.take(60);
  const large = memory.take(50);
  const small = memory.take(10);
  expect(await isSettled(large)).toBe(false);
  // There is room for 10 bytes, but the larger request came first.
  expect(await isSettled(small)).toBe(false);
  expect(memory.bufferIfFree(10)).toBeNull();
  memory.giveBack(60);
  await Promise.all([large, small]);
  expect(memory.held).toBe(60);
});

test("one that wants more than all has it alone", async () => {
  const memory = new Memory(100);
  await memory.take(1);
  const all = memory.take(1000);
  expect(await isSettled(all)).toBe(false);
  memory.giveBack(1);
  await all;
  expect(memory.held).toBe(1000);
});

test("what work held is given back, also where it fails", async () => {
  const memory = new Memory(100);
  expect(await memory.with(30, async () => memory.held)).toBe(30);
  await expect(memory.with(30, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(memory.held).toBe(0);
});

test("a buffer that was given back is used again, for one of its size", async () => {
  const memory = new Memory(100);
  const first = await memory.buffer(40);
  memory.giveBackBuffer(first);
  expect(memory.bufferIfFree(30)).not.toBe(first);
  expect(memory.bufferIfFree(40)).toBe(first);
  expect(memory.held).toBe(70);
});
