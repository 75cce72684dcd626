import { expect, test } from "bun:test";
import { RateMeter } from "../../lib/util/rate-meter.ts";

function meterWithClock(spanMs: number) {
  const clock = { now: 5000 };
  return { clock, meter: new RateMeter(spanMs, () => clock.now) };
}

test("says nothing until there is something to tell", () => {
  const { clock, meter } = meterWithClock(2000);
  expect(meter.bytesPerSecond()).toBeNull();
  meter.add(0);
  expect(meter.bytesPerSecond()).toBeNull();
  clock.now += 100;
  expect(meter.bytesPerSecond()).toBe(0);
});

test("tells a steady rate, also between two samples", () => {
  const { clock, meter } = meterWithClock(2000);
  meter.add(0);
  for (let tick = 0; tick < 500; tick++) {
    clock.now += 10;
    meter.add(50);
  }
  expect(meter.bytesPerSecond()).toBeCloseTo(5000);
});

test("forgets what was before its span", () => {
  const { clock, meter } = meterWithClock(2000);
  const run = (bytes: number) => {
    for (let tick = 0; tick < 50; tick++) {
      clock.now += 100;
      meter.add(bytes);
    }
  };
  meter.add(0);
  run(1000);
  run(100);
  expect(meter.bytesPerSecond()).toBeCloseTo(1000);
});

test("falls while nothing comes", () => {
  const { clock, meter } = meterWithClock(2000);
  meter.add(0);
  clock.now += 1000;
  meter.add(1000);
  expect(meter.bytesPerSecond()).toBe(1000);
  clock.now += 9000;
  expect(meter.bytesPerSecond()).toBe(100);
});

test("takes what came at once for all that came in a given time, until that has passed", () => {
  const { clock, meter } = meterWithClock(2000);
  meter.add(0);
  clock.now += 10;
  meter.add(1000);
  expect(meter.bytesPerSecond()).toBe(100_000);
  expect(meter.bytesPerSecond(1000)).toBe(1000);
  clock.now += 1990;
  expect(meter.bytesPerSecond(1000)).toBe(500);
});
