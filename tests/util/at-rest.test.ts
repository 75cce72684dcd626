import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { AtRest } from "../../lib/util/at-rest.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

test("is called once for each time of work, when that was over for a while", () => {
  let calls = 0;
  const atRest = new AtRest(() => calls++, 100);
  atRest.idle();
  jest.advanceTimersByTime(99);
  expect(calls).toBe(0);
  jest.advanceTimersByTime(1);
  expect(calls).toBe(1);
  jest.advanceTimersByTime(1_000);
  expect(calls).toBe(1);
});

test("is not called while work goes on, and waits anew after it", () => {
  let calls = 0;
  const atRest = new AtRest(() => calls++, 100);
  atRest.idle();
  jest.advanceTimersByTime(99);
  atRest.busy();
  jest.advanceTimersByTime(1_000);
  expect(calls).toBe(0);
  atRest.idle();
  atRest.idle();
  jest.advanceTimersByTime(100);
  expect(calls).toBe(1);
});
