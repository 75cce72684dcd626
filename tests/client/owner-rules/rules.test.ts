import { describe, expect, test } from "bun:test";
import { Rules } from "../../../lib/client/owner-rules/rules.ts";

const permits = (allow: string[], deny: string[], path: string) =>
  new Rules(allow, deny).permits([path]);

describe("without rules", () => {
  test.each(["a.txt", "logs/till.log", "a.b/c", "Grüße.txt", "keys.txt", "monkey", "environment"])(
    "%s leaves",
    (path) => expect(permits([], [], path)).toBe(true),
  );

  test.each([
    ".env",
    "app/.env.local",
    ".ssh/known_hosts",
    "home/.git/config",
    "..name",
    "tls/server.key",
    "tls/SERVER.PEM",
    "id_rsa",
    "backup/id_ed25519.pub",
    "passwords.kdbx",
    "credentials",
    "app/credentials.json",
    "secrets.yaml",
    "store.JKS/part",
  ])("%s stays", (path) => expect(permits([], [], path)).toBe(false));
});

describe("a pattern", () => {
  test.each([
    ["*.csv", "a.csv", true],
    ["*.csv", "deep/down/a.csv", true],
    ["*.csv", "a.csv.bak", false],
    ["logs", "logs/2026/a.log", true],
    ["logs", "old/logs/a.log", true],
    ["logs", "logs2/a.log", false],
    ["/logs/", "logs/a.log", true],
    ["data/logs", "data/logs/a.log", true],
    ["data/logs", "other/data/logs/a.log", false],
    ["data/*/a.log", "data/x/a.log", true],
    ["data/*/a.log", "data/x/y/a.log", false],
    ["data/**/a.log", "data/x/y/a.log", true],
    ["report-{a,b}.txt", "report-b.txt", true],
    ["*.csv", "A.CSV", false],
  ])("that allows %s and the file %s: %p", (pattern, path, expected) => {
    expect(permits([pattern], [], path)).toBe(expected);
  });

  test.each([
    ["*.csv", "A.CSV"],
    ["private", "Private/a.txt"],
    ["private", "x/private/y/a.txt"],
    ["gr\u00fc\u00dfe", "gru\u0308\u00dfe/a.txt"],
    ["a.txt", "a.txt"],
  ])("that denies %s wins over all that is allowed: %s", (pattern, path) => {
    expect(permits([], [pattern], path)).toBe(false);
    expect(permits(["**", path], [pattern], path)).toBe(false);
  });

  test.each([
    ["**", ".env", false],
    ["*", ".env", false],
    [".env", "app/.env", true],
    [".*", ".profile", true],
    [".ssh/config", ".ssh/config", true],
    [".ssh", ".ssh/id_rsa", false],
    [".ssh/id_rsa", ".ssh/id_rsa", true],
    ["*.pem", "tls/server.pem", true],
    ["tls", "tls/server.pem", false],
    ["*.pem", ".hidden/server.pem", false],
    ["id_rsa.pub", "id_rsa.pub", true],
  ])("lets hidden files and keys leave only where it names them: %s, %s: %p", (allow, path, yes) =>
    expect(permits(["*.txt", allow], [], path)).toBe(yes),
  );
});

describe("a file in two roots, one within the other", () => {
  const paths = [".config/app/a.txt", "a.txt"];

  test("leaves where either root allows it", () => {
    expect(new Rules([], []).permits(paths)).toBe(true);
  });

  test("stays where either path is denied", () => {
    expect(new Rules([], ["app"]).permits(paths)).toBe(false);
  });
});

test("a file in no root stays", () => {
  expect(new Rules(["**"], []).permits([])).toBe(false);
});
