import { expect, test } from "bun:test";
import { isLoopback } from "../../lib/util/loopback.ts";

test.each([
  ["localhost", true],
  ["LOCALHOST", true],
  ["127.0.0.1", true],
  ["127.1.2.3", true],
  ["::1", true],
  ["[::1]", true],
  ["0.0.0.0", false],
  ["128.0.0.1", false],
  ["127.0.0.1.example.com", false],
  ["127.0.0.999", false],
  ["localhost.example.com", false],
  ["::", false],
  ["", false],
])("%j is this machine: %p", (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});
