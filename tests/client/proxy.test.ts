import { expect, test } from "bun:test";
import { proxyFor } from "../../lib/client/proxy.ts";
import { UsageError } from "../../lib/util/flags.ts";

const WSS = "wss://files.example.com/ws";
const WS = "ws://files.example.com:8080/ws";
const PROXY = "http://proxy:3128";

test.each<[string, Record<string, string>, string | null]>([
  [WSS, {}, null],
  [WSS, { HTTPS_PROXY: PROXY }, `${PROXY}/`],
  [WSS, { https_proxy: PROXY }, `${PROXY}/`],
  [WSS, { HTTPS_PROXY: "https://big:1", https_proxy: PROXY }, "https://big:1/"],
  [WSS, { HTTPS_PROXY: "", https_proxy: PROXY }, `${PROXY}/`],
  [WSS, { HTTP_PROXY: PROXY, http_proxy: PROXY }, null],
  [WS, { HTTP_PROXY: PROXY }, `${PROXY}/`],
  [WS, { http_proxy: PROXY }, `${PROXY}/`],
  [WS, { HTTPS_PROXY: PROXY }, null],
  [WS, { HTTP_PROXY: "proxy:3128" }, `${PROXY}/`],
  [WS, { HTTP_PROXY: "http://user:pass@proxy:3128" }, "http://user:pass@proxy:3128/"],
])("the proxy to %s with %j is %s", (server, env, expected) => {
  expect(proxyFor(new URL(server), env)).toBe(expected);
});

test.each([
  [WSS, "files.example.com"],
  [WSS, "FILES.example.COM"],
  [WSS, "example.com"],
  [WSS, ".example.com"],
  [WSS, "*.example.com"],
  [WSS, "*"],
  [WSS, "a.org, example.com ,b.org"],
  [WSS, "a.org example.com"],
  [WSS, "files.example.com:443"],
  [WSS, ".example.com:443"],
  [WS, "files.example.com:8080"],
  ["ws://example.com/ws", "example.com:80"],
  ["ws://10.1.2.3:8080/ws", "10.1.2.3"],
  ["ws://[fd00::1]:8080/ws", "fd00::1"],
  ["ws://[fd00::1]:8080/ws", "[fd00::1]"],
  ["ws://[fd00::1]:8080/ws", "[fd00::1]:8080"],
])("%s is reached without a proxy by NO_PROXY=%s", (server, list) => {
  const env = { HTTPS_PROXY: PROXY, HTTP_PROXY: PROXY };
  expect(proxyFor(new URL(server), { ...env, NO_PROXY: list })).toBeNull();
  expect(proxyFor(new URL(server), { ...env, NO_PROXY: "", no_proxy: list })).toBeNull();
});

test.each([
  [WSS, ""],
  [WSS, ","],
  [WSS, "."],
  [WSS, "com.example"],
  [WSS, "iles.example.com"],
  [WSS, "more.files.example.com"],
  [WSS, "files.example.com:80"],
  [WS, "files.example.com:443"],
  ["ws://10.1.2.30:8080/ws", "10.1.2.3"],
])("%s needs its proxy with NO_PROXY=%j", (server, list) => {
  const env = { HTTPS_PROXY: PROXY, HTTP_PROXY: PROXY, NO_PROXY: list };
  expect(proxyFor(new URL(server), env)).toBe(`${PROXY}/`);
});

test.each(["socks5://user:pass@proxy", "http://user:pass@", "http://user:pass@a b"])(
  "a proxy that cannot be used is refused, without its password: %s",
  (value) => {
    expect(() => proxyFor(new URL(WSS), { https_proxy: value })).toThrow(
      new UsageError('https_proxy has a wrong value, expected a URL such as "http://proxy:3128"'),
    );
    expect(proxyFor(new URL(WS), { https_proxy: value })).toBeNull();
  },
);

test.each([
  "localhost",
  "LOCALHOST",
  "localhost.",
  "till.localhost",
  "127.0.0.1",
  "127.8.8.8",
  "127.1",
  "[::1]",
  "[::ffff:127.0.0.1]",
  "0.0.0.0",
])("%s is this machine: the key goes through no proxy", (host) => {
  const env = { HTTPS_PROXY: PROXY, HTTP_PROXY: PROXY, https_proxy: PROXY, http_proxy: PROXY };
  for (const scheme of ["ws", "wss"]) {
    expect(proxyFor(new URL(`${scheme}://${host}:8080/ws`), env)).toBeNull();
  }
});
