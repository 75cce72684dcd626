import { expect, test } from "bun:test";
import { fullJitter } from "../../lib/util/backoff.ts";

const ALMOST_ONE = 1 - 2 ** -53;

test.each([
  [0, 1000],
  [1, 2000],
  [2, 4000],
  [5, 32_000],
  [6, 60_000],
  [7, 60_000],
  [31, 60_000],
  [2000, 60_000],
])("wait %d is somewhere between nothing and %d ms", (attempt, bound) => {
  const wait = (random: number) => fullJitter(attempt, 1000, 60_000, () => random);
  expect(wait(0)).toBe(0);
  expect(wait(0.5)).toBe(bound / 2);
  expect(wait(ALMOST_ONE)).toBeCloseTo(bound);
});

test("no wait is the same for all, so that they do not come back together", () => {
  const waits = new Set(Array.from({ length: 100 }, () => fullJitter(3, 1000, 60_000)));
  expect(waits.size).toBeGreaterThan(90);
});
