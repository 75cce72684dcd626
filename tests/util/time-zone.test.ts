import { expect, test } from "bun:test";
import { isTimeZone, systemTimeZone } from "../../lib/util/time-zone.ts";

test.each([
  ["Europe/Berlin", true],
  ["America/Argentina/Buenos_Aires", true],
  ["UTC", true],
  ["Mars/Olympus", false],
  ["+02:00", false],
  ["", false],
  ["Europe/Berlin\n", false],
])("%p is a time zone: %p", (name, expected) => {
  expect(isTimeZone(name)).toBe(expected);
});

test("this machine's is one, where it has one", () => {
  const name = systemTimeZone();
  expect(name === null || isTimeZone(name)).toBe(true);
});
