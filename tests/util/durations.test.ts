import { expect, test } from "bun:test";
import { MAX_DURATION, parseDuration } from "../../lib/util/durations.ts";

test.each([
  ["90s", 90_000],
  ["15m", 900_000],
  ["12h", 43_200_000],
  ["30d", 2_592_000_000],
  [" 1d ", 86_400_000],
  ["0s", 0],
  ["36500d", MAX_DURATION],
  ["36501d", null],
  ["", null],
  ["d", null],
  ["30", null],
  ["1.5h", null],
  ["-1d", null],
  ["1w", null],
  ["1D", null],
  ["1d2h", null],
])("%p is %p ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});
