import { expect, test } from "bun:test";
import { formatAge, formatSpan } from "../../../lib/cli/terminal/times.ts";

test.each([
  [-5, "0 s"],
  [0, "0 s"],
  [59.9, "59 s"],
  [60, "1 min"],
  [3599, "59 min"],
  [3600, "1 h"],
  [86_399, "23 h"],
  [86_400, "1 d"],
  [1_000_000, "11 d"],
])("%d seconds are %s", (seconds, text) => {
  expect(formatSpan(seconds)).toBe(text);
});

test("an age is counted from a moment, if there was one", () => {
  const now = Date.parse("2026-01-02T03:04:05.000Z");
  expect(formatAge("2026-01-02T03:02:00.000Z", now)).toBe("2 min ago");
  // A time in the future, as when the clocks of two machines differ.
  expect(formatAge("2026-01-02T03:04:06.000Z", now)).toBe("0 s ago");
  expect(formatAge(null, now)).toBe("–");
});
