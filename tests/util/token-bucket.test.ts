import { describe, expect, test } from "bun:test";
import { TokenBucket } from "../../lib/util/token-bucket.ts";

/** A TokenBucket, on a clock that the test sets. */
function bucketOf(rate: number | null) {
  const clock = { now: 0 };
  return { clock, bucket: new TokenBucket(rate, () => clock.now) };
}

test("without a limit there is always enough", () => {
  const { bucket } = bucketOf(null);
  bucket.take(1e15);
  expect([bucket.available, bucket.burst, bucket.msUntil(1e15)]).toEqual([Infinity, Infinity, 0]);
});

test("a burst is there at first, then what the rate brings", () => {
  const { bucket, clock } = bucketOf(100_000);
  expect(bucket.available).toBe(10_000);
  bucket.take(10_000);
  expect([bucket.available, bucket.msUntil(5_000)]).toEqual([0, 50]);
  clock.now += 50;
  expect([bucket.available, bucket.msUntil(5_000)]).toEqual([5_000, 0]);
});

test("a pause is not made up for by more than a burst", () => {
  const { bucket, clock } = bucketOf(100_000);
  clock.now += 60_000;
  expect(bucket.available).toBe(10_000);
});

test("what was taken beyond what was there is waited for", () => {
  const { bucket, clock } = bucketOf(100_000);
  bucket.take(30_000);
  expect([bucket.available, bucket.msUntil(1)]).toEqual([-20_000, 201]);
  clock.now += 201;
  expect(bucket.available).toBeGreaterThanOrEqual(1);
});

test("nobody waits for more than can ever be there", () => {
  const { bucket } = bucketOf(100_000);
  bucket.take(10_000);
  expect(bucket.msUntil(1_000_000)).toBe(100);
});

describe("a change of the rate", () => {
  test.each([
    ["a limit after none", null, 100_000, 10_000],
    ["a lower one", 100_000, 20_000, 2_000],
    ["a higher one", 20_000, 100_000, 2_000],
  ])("to %s counts from then on", (_, before, after, available) => {
    const { bucket, clock } = bucketOf(before);
    bucket.setRate(after);
    expect(bucket.available).toBe(available);
    bucket.take(available);
    clock.now += 100;
    expect(bucket.available).toBe(after / 10);
  });
});

describe("a rate that is asked each time", () => {
  test("counts from the moment at which it is another one", () => {
    const clock = { now: 0 };
    let rate: number | null = 100_000;
    const bucket = new TokenBucket(
      () => rate,
      () => clock.now,
    );
    expect([bucket.rate, bucket.burst, bucket.available]).toEqual([100_000, 10_000, 10_000]);
    rate = 20_000;
    expect([bucket.rate, bucket.burst, bucket.available]).toEqual([20_000, 2_000, 2_000]);
    bucket.take(2_000);
    clock.now += 100;
    expect(bucket.available).toBe(2_000);
    rate = null;
    expect([bucket.burst, bucket.available, bucket.msUntil(1)]).toEqual([Infinity, Infinity, 0]);
    rate = 100_000;
    expect(bucket.available).toBe(10_000);
  });

  test("what is owed at its end is not waited for beyond it", () => {
    const clock = { now: 0 };
    let rate: number | null = 16_384;
    const bucket = new TokenBucket(
      () => rate,
      () => clock.now,
    );
    bucket.take(1_000_000);
    expect(bucket.msUntil(1)).toBeGreaterThan(60_000);
    rate = null;
    expect(bucket.msUntil(1)).toBe(0);
  });
});
