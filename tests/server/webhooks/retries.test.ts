import { expect, test } from "bun:test";
import { LONGEST_WAIT_MS, silenceAfter, waitAfter } from "../../../lib/server/webhooks/retries.ts";

const HOUR = 3_600_000;
const [early, late] = [() => 0, () => 0.999];

const waits = (random: () => number) =>
  Array.from({ length: 20 }, (_, n) => waitAfter(n + 1, null, random)).filter(
    (wait) => wait !== null,
  );

test("a message is tried ten times over days, later and later", () => {
  for (const random of [early, late]) {
    const all = waits(random);
    expect(all).toHaveLength(9);
    expect(all).toEqual(all.toSorted((a, b) => a - b));
    const sum = all.reduce((total, wait) => total + wait, 0);
    expect(sum).toBeGreaterThan(40 * HOUR);
    expect(sum).toBeLessThan(96 * HOUR);
  }
  expect(waits(late)[3]!).toBeGreaterThan(waits(early)[3]! * 1.2);
});

test("a receiver may ask for more time, within bounds, and for less in vain", () => {
  expect(waitAfter(1, 600_000, early)).toBe(600_000);
  expect(waitAfter(1, 1, early)).toBe(4_000);
  expect(waitAfter(1, 99 * HOUR, early)).toBe(LONGEST_WAIT_MS);
  expect(waitAfter(10, 600_000, early)).toBeNull();
});

test("who is not reached is left alone for longer each time, for six minutes at most", () => {
  expect(silenceAfter(1, early)).toBeLessThan(silenceAfter(3, early));
  expect(silenceAfter(1_000, late)).toBeLessThan(6 * 60_000);
});
