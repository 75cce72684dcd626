import { describe, expect, test } from "bun:test";
import { ConnectionLimit } from "../../../lib/server/http/connection-limit.ts";
import { isNetwork, networkOf, TrustedProxies } from "../../../lib/server/access/remote-address.ts";

const addressOf = (trusted: string[], peer: string, forwarded?: string) => {
  const headers = new Headers();
  if (forwarded !== undefined) headers.set("X-Forwarded-For", forwarded);
  return new TrustedProxies(trusted).addressOf(peer, new Request("http://a/", { headers }));
};

describe("where a request came from", () => {
  test.each([
    [[], "192.0.2.1", undefined, "192.0.2.1"],
    [[], "192.0.2.1", "198.51.100.9", "192.0.2.1"],
    [["10.0.0.0/8"], "192.0.2.1", "198.51.100.9", "192.0.2.1"],
    [["10.0.0.0/8"], "10.1.2.3", undefined, "10.1.2.3"],
    [["10.0.0.0/8"], "10.1.2.3", "198.51.100.9", "198.51.100.9"],
    [["10.0.0.0/8"], "10.1.2.3", "6.6.6.6, 198.51.100.9", "198.51.100.9"],
    [["10.0.0.0/8"], "10.1.2.3", "6.6.6.6,198.51.100.9 , 10.9.9.9", "198.51.100.9"],
    [["10.0.0.0/8"], "10.1.2.3", "10.0.0.1, 10.0.0.2", "10.0.0.1"],
    [["10.0.0.0/8"], "10.1.2.3", "nonsense", "10.1.2.3"],
    [["10.0.0.0/8"], "10.1.2.3", "", "10.1.2.3"],
    [["10.0.0.0/8"], "::ffff:10.1.2.3", "::ffff:198.51.100.9", "198.51.100.9"],
    [["::1"], "::1", "2001:db8::7", "2001:db8::7"],
    [["fd00::/8"], "fd12::1", "2001:db8::7", "2001:db8::7"],
    [["192.0.2.7"], "192.0.2.7", "198.51.100.9", "198.51.100.9"],
    // Addresses as some proxies write them: with a port (as Azure does), or in brackets.
    [["10.0.0.0/8"], "10.1.2.3", "198.51.100.9:4711", "198.51.100.9"],
    [["10.0.0.0/8"], "10.1.2.3", "6.6.6.6:1, 198.51.100.9:4711,10.9.9.9:443", "198.51.100.9"],
    [["10.0.0.0/8"], "10.1.2.3", "[2001:db8::7]:4711", "2001:db8::7"],
    [["10.0.0.0/8"], "10.1.2.3", "[2001:db8::7]", "2001:db8::7"],
    [["10.0.0.0/8"], "10.1.2.3", "[::ffff:198.51.100.9]:4711", "198.51.100.9"],
    [["fd00::/8"], "fd12::1", "[2001:db8::7]:1, [fd12::2]:443", "2001:db8::7"],
    [["10.0.0.0/8"], "10.1.2.3", "198.51.100.9,", "198.51.100.9"],
    [["10.0.0.0/8"], "10.1.2.3", "198.51.100.9, , ", "198.51.100.9"],
    [["0.0.0.0/0"], "", "198.51.100.9", ""],
  ])("with %j trusted, from %s with %j: %s", (trusted, peer, forwarded, expected) => {
    expect(addressOf(trusted, peer, forwarded)).toBe(expected);
  });

  test.each([
    "unknown",
    "198.51.100.9:",
    "198.51.100.9:http",
    "198.51.100.9:1:2",
    "198.51.100",
    "[198.51.100.9]x",
    "[2001:db8::7",
    "2001:db8::7]:1",
    "[]",
    "fe80::1%eth0",
    "[fe80::1%eth0]:1",
    "1".repeat(99),
  ])("%p is no address: it is that of the proxy, never what lies before", (junk) => {
    expect(addressOf(["10.0.0.0/8"], "10.1.2.3", `6.6.6.6, ${junk}`)).toBe("10.1.2.3");
  });
});

test.each([
  ["10.0.0.1", true],
  ["10.0.0.0/8", true],
  ["::/0", true],
  ["fd00::/128", true],
  ["10.0.0.0/33", false],
  ["fd00::/129", false],
  ["10.0.0.0/8/8", false],
  ["10.0.0.0/", false],
  ["10.0.0.0/-1", false],
  ["proxy", false],
  ["", false],
])("%s is a network: %p", (text, expected) => expect(isNetwork(text)).toBe(expected));

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
  ["2001:db8::6", "2001:db8:0:0"],
  ["::1", "0:0:0:0"],
  ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
])("%s counts as %s", (address, network) => expect(networkOf(address)).toBe(network));

test("an address has so many connections and no more, a closed one makes room", () => {
  const limit = new ConnectionLimit(2);
  const taken = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"];
  expect(taken.map((address) => limit.take(address))).toEqual([true, true, false, true]);
  limit.release("2001:db8::1");
  expect([limit.take("2001:db8::9"), limit.take("2001:db8::9")]).toEqual([true, false]);
});
