import { expect, test } from "bun:test";
import { isLoopback, leadsHere } from "../../lib/util/loopback.ts";

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

test.each([
  ["http://localhost", true],
  ["http://LOCALHOST.:8080", true],
  ["http://till.localhost", true],
  ["http://127.0.0.1", true],
  ["http://127.9.9.9", true],
  ["http://127.1", true],
  ["http://0x7f000001", true],
  ["http://[::1]:8080", true],
  ["http://[0:0:0:0:0:0:0:1]", true],
  ["http://[::ffff:127.0.0.1]", true],
  ["http://0.0.0.0:8080", true],
  ["http://[::]:8080", true],
  ["http://files.example.com", false],
  ["http://localhost.example.com", false],
  ["http://notlocalhost", false],
  ["http://126.0.0.1", false],
  ["http://[::ffff:126.0.0.1]", false],
  ["http://[::1:1]", false],
  ["http://[fe80::1]", false],
])("%s leads to this machine: %p", (url, expected) => {
  expect(leadsHere(new URL(url).hostname)).toBe(expected);
});
