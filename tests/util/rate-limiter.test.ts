import { expect, test } from "bun:test";
import { RateLimiter } from "../../lib/util/rate-limiter.ts";

/** A RateLimiter, on a clock that the test sets. */
function throttleOf(burst: number, everyMs: number) {
  const clock = { now: 1_700_000_000_000 };
  return { clock, throttle: new RateLimiter({ burst, everyMs }, () => clock.now) };
}

test("a burst goes through, then one in each interval", () => {
  const { throttle, clock } = throttleOf(3, 1000);
  expect([1, 2, 3].map(() => throttle.take("a"))).toEqual([0, 0, 0]);
  expect(throttle.take("a")).toBe(1000);
  clock.now += 999;
  expect(throttle.take("a")).toBe(1);
  clock.now += 1;
  expect([throttle.take("a"), throttle.take("a")]).toEqual([0, 1000]);
});

test("who waits is not punished for asking", () => {
  const { throttle, clock } = throttleOf(1, 1000);
  throttle.take("a");
  for (let n = 0; n < 50; n++) expect(throttle.take("a")).toBe(1000);
  clock.now += 1000;
  expect(throttle.take("a")).toBe(0);
});

test("each key by itself", () => {
  const { throttle } = throttleOf(1, 1000);
  expect([throttle.take("a"), throttle.take("b"), throttle.take("a")]).toEqual([0, 0, 1000]);
  expect([throttle.waitOf("b"), throttle.waitOf("c")]).toEqual([1000, 0]);
});

test("what is given back does not count", () => {
  const { throttle } = throttleOf(2, 1000);
  for (let n = 0; n < 20; n++) {
    expect(throttle.take("a")).toBe(0);
    throttle.giveBack("a");
  }
  throttle.giveBack("never counted");
  expect([throttle.take("a"), throttle.take("a"), throttle.take("a")]).toEqual([0, 0, 1000]);
});

test("all is forgotten in time", () => {
  const { throttle, clock } = throttleOf(5, 1000);
  for (let n = 0; n < 5; n++) throttle.take("a");
  clock.now += 5000;
  expect([1, 2, 3, 4, 5].map(() => throttle.take("a"))).toEqual([0, 0, 0, 0, 0]);
});

test("the key that came the longest ago gives way to a flood of others", () => {
  const { throttle } = throttleOf(1, 60_000);
  throttle.take("first");
  for (let n = 0; n < 9_999; n++) throttle.take(`key ${n}`);
  expect(throttle.waitOf("first")).toBeGreaterThan(0);
  throttle.take("one more");
  expect(throttle.waitOf("first")).toBe(0);
  expect(throttle.waitOf("key 0")).toBeGreaterThan(0);
});
