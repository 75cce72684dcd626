import { afterEach, expect, setSystemTime, test } from "bun:test";
import { steadyNow } from "../../lib/util/steady-clock.ts";

afterEach(() => {
  setSystemTime();
});

test("tells the time, in whole ms", () => {
  expect(Math.abs(steadyNow() - Date.now())).toBeLessThan(60_000);
  expect(steadyNow()).toBeInteger();
});

test.each([0, 2 ** 41])("goes on when the wall clock is set: %p", (time) => {
  const before = steadyNow();
  setSystemTime(time);
  expect(Date.now()).toBe(time);
  const after = steadyNow();
  expect(after).toBeGreaterThanOrEqual(before);
  expect(after - before).toBeLessThan(60_000);
});
