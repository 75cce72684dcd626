import { expect, test } from "bun:test";
import { isOlder } from "../../lib/util/version-order.ts";

test.each([
  ["1.0.0", "1.0.1"],
  ["1.9.0", "1.10.0"],
  ["1.9", "1.10"],
  ["0.9.9", "1"],
  ["v1.2", "1.2.1"],
  ["1.2.3-beta.9", "1.2.4"],
])("%s is older than %s, and not the other way round", (older, newer) => {
  expect(isOlder(older, newer)).toBe(true);
  expect(isOlder(newer, older)).toBe(false);
});

test.each([
  ["1.0.0", "1.0.0"],
  ["1.0", "1.0.0"],
  ["1.0.0-a", "1.0.0+b"],
  ["", "1.0.0"],
  ["python-1", "1.0.0"],
  ["1.0.0", "the newest"],
  ["1.0.0.0.0", "2.0.0"],
])("of %j and %j none is older", (one, other) => {
  expect(isOlder(one, other)).toBe(false);
  expect(isOlder(other, one)).toBe(false);
});
