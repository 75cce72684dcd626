import { expect, test } from "bun:test";
import { SerialQueue } from "../../lib/util/serial-queue.ts";

test("one begins when the one before it is over, also if that failed", async () => {
  const line = new SerialQueue();
  const log: string[] = [];
  const work = (name: string, error?: Error) => async () => {
    log.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    log.push(`${name} ends`);
    if (error) throw error;
    return name;
  };
  const all = [line.run(work("a")), line.run(work("b", new Error("EIO"))), line.run(work("c"))];
  expect(await Promise.allSettled(all)).toMatchObject([
    { value: "a" },
    { reason: new Error("EIO") },
    { value: "c" },
  ]);
  expect(log).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
});

test("what is about something else does not wait", async () => {
  const line = new SerialQueue();
  const held = Promise.withResolvers<string>();
  const first = line.run(() => held.promise, "a");
  const second = line.run(async () => "second", "a");
  expect(await line.run(async () => "other", "b")).toBe("other");
  held.resolve("first");
  expect(await Promise.all([first, second])).toEqual(["first", "second"]);
});

test("tells what runs or waits, and when it is over, failed or not", async () => {
  const line = new SerialQueue();
  expect([line.isIdle, line.has("a")]).toEqual([true, false]);
  const log: string[] = [];
  const failing = line.run(async () => Promise.reject(new Error("EIO")), "a");
  const second = line.run(async () => void log.push("a"), "a");
  const other = line.run(async () => void log.push("b"), "b");
  expect([line.isIdle, line.has("a"), line.has("b"), line.has("c")]).toEqual([
    false,
    true,
    true,
    false,
  ]);
  await line.ended("a");
  expect(log).toContain("a");
  await line.idle();
  expect([line.isIdle, line.has("a"), line.has("b")]).toEqual([true, false, false]);
  await Promise.allSettled([failing, second, other]);
  await line.ended("a");
  await line.idle();
});
