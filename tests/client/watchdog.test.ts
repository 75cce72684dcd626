import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { watch } from "../../lib/client/watchdog.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const STOOD_STILL = /^for 60 s there was neither a connection nor a next try/;
const never = new Promise<void>(() => undefined);

/** Advances the clock by 70 s, more than the minute after which the watchdog gives up. */
const passMinute = () => jest.advanceTimersByTime(70_000);

test("what is never well is given up after a minute", async () => {
  const watched = watch(never, () => false);
  let over = false;
  watched.catch(() => (over = true));
  jest.advanceTimersByTime(55_000);
  await Promise.resolve();
  expect(over).toBe(false);
  passMinute();
  await expect(watched).rejects.toThrow(STOOD_STILL);
  expect(jest.getTimerCount()).toBe(0);
});

test("what is well now and then is not", async () => {
  const work = Promise.withResolvers<void>();
  let isWell = true;
  const watched = watch(work.promise, () => isWell);
  for (let hour = 0; hour < 60; hour++) {
    isWell = false;
    jest.advanceTimersByTime(50_000);
    isWell = true;
    jest.advanceTimersByTime(10_000);
  }
  work.resolve();
  await watched;
  expect(jest.getTimerCount()).toBe(0);
});

test("what throws has failed at once", async () => {
  await expect(watch(Promise.reject(new Error("a bug")), () => true)).rejects.toThrow("a bug");
  expect(jest.getTimerCount()).toBe(0);
});
