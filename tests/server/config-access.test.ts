import { describe, expect, test } from "bun:test";
import { readServerConfig } from "../../lib/server/config.ts";
import { folder, mistake, pem, useCertificate } from "../support/server-config.ts";

useCertificate();

/* The settings for access to the server: addresses, tokens and TLS. */

const TOKENS = { API_TOKEN: "api-secret-of-tests", ENROLL_TOKEN: "enroll-secret-of-tests" };

describe("who gets in without tokens:", () => {
  test.each(["0.0.0.0", "::", "10.0.0.1", "example.com", "127.example.com", "0:0:0:0:0:0:0:2"])(
    "%s is refused without both",
    (host) => {
      const { API_TOKEN, ENROLL_TOKEN } = TOKENS;
      const expected = 'expected a loopback address such as "127.0.0.1", as there is no';
      expect(mistake(["--host", host], {})).toBe(
        `--host is "${host}", ${expected} API_TOKEN and no ENROLL_TOKEN`,
      );
      expect(mistake([], { SERVER_HOST: host, ENROLL_TOKEN })).toBe(
        `SERVER_HOST is "${host}", ${expected} API_TOKEN`,
      );
      expect(mistake([], { SERVER_HOST: host, API_TOKEN, ENROLL_TOKEN: "" })).toBe(
        `SERVER_HOST is "${host}", ${expected} ENROLL_TOKEN`,
      );
      expect(readServerConfig(["--host", host], TOKENS, false)).toMatchObject({ host });
    },
  );

  test.each(["0.0.0.0:8080", "http://localhost", "a b", "-x", "[::1]"])(
    "%j is no address, with tokens or without",
    (host) => {
      expect(mistake([], { SERVER_HOST: host })).toStartWith(`SERVER_HOST is "${host}", expected`);
      expect(mistake([], { SERVER_HOST: host, ...TOKENS })).toBe(
        `SERVER_HOST is "${host}", expected an address such as "0.0.0.0"`,
      );
    },
  );
});

describe("tokens that others than this machine could guess:", () => {
  const long = "x".repeat(16);
  test.each<[Record<string, string>, string | null]>([
    [{ API_TOKEN: long, ENROLL_TOKEN: `${long}y` }, null],
    [{ API_TOKEN: long.slice(1), ENROLL_TOKEN: `${long}y` }, "API_TOKEN is too short, expected"],
    [{ API_TOKEN: long, ENROLL_TOKEN: "x" }, "ENROLL_TOKEN is too short, expected at least 16"],
    [{ API_TOKEN: long, ENROLL_TOKEN: long }, "ENROLL_TOKEN is the same as API_TOKEN, expected"],
  ])("%j", (tokens, expected) => {
    const read = (host: string) => readServerConfig(["--host", host], tokens, false);
    if (expected === null) expect(read("0.0.0.0")).toMatchObject({ host: "0.0.0.0" });
    else expect(mistake(["--host", "0.0.0.0"], tokens)).toStartWith(expected);
    expect(read("127.0.0.1")).toMatchObject({ host: "127.0.0.1" });
  });
});

test.each(["API_TOKEN", "ENROLL_TOKEN"])("a bad %s is not repeated", (name) => {
  for (const secret of ["with space", " before", "after\n", "tab\there", "é", "x".repeat(513)]) {
    expect(mistake([], { [name]: secret })).toBe(
      `${name} has a wrong value, expected at most 512 ASCII characters without white space`,
    );
  }
});

describe("TLS", () => {
  test("takes a certificate and its key, and perhaps who signs the clients'", () => {
    const both = { TLS_CERT: pem, TLS_KEY: pem };
    expect(readServerConfig([], both, false)).toMatchObject({
      tls: { cert: pem, key: pem, clientCa: null },
    });
    expect(readServerConfig([], { ...both, TLS_CLIENT_CA: pem }, false)).toMatchObject({
      tls: { cert: pem, key: pem, clientCa: pem },
    });
  });

  test.each([
    ["TLS_CERT", "TLS_KEY"],
    ["TLS_KEY", "TLS_CERT"],
    ["TLS_CLIENT_CA", "TLS_CERT"],
  ])("with %s alone misses %s", (given, missing) => {
    expect(mistake([], { [given]: pem })).toStartWith(`${missing} is missing, set TLS_CERT and`);
  });

  test("takes no folder for a file", () => {
    expect(mistake([], { TLS_CERT: folder, TLS_KEY: pem })).toStartWith(`TLS_CERT is "${folder}"`);
  });
});
