import { describe, expect, test } from "bun:test";
import { Rules } from "../../../lib/client/owner-rules/rules.ts";
import { UsageError } from "../../../lib/util/flags.ts";

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
    "tls/server.key.old",
    "SSH_HOST_RSA_KEY",
    "backup/key",
    "key/a.txt",
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
    ["server.key.old", "tls/server.key.old", true],
    ["*.{csv,pem}", "tls/server.pem", true],
    ["{logs,.env}", ".env", true],
    ["{logs,.env}", ".profile", false],
  ])("lets hidden files and keys leave only where it names them: %s, %s: %p", (allow, path, yes) =>
    expect(permits(["*.txt", allow], [], path)).toBe(yes),
  );
});

const places = { roots: ["/srv/link", "/srv/real"], homes: ["/home/till"] };

describe("a pattern by another spelling is made right:", () => {
  test.each([
    "./priv",
    "priv/",
    "./priv/.",
    "/priv",
    "/srv/link/priv",
    "/srv/real/priv/",
    "/srv//real/./priv",
    "/srv/other/../real/priv",
    "../link/priv",
    "x/../priv",
    "{./priv,other}",
  ])("%s", (pattern) => {
    for (const path of ["priv", "priv/p.txt", "PRIV/p.txt"]) {
      expect(new Rules([], [pattern], places).permits([path])).toBe(false);
    }
    expect(new Rules([pattern], [], places).permits(["priv/p.txt"])).toBe(true);
    for (const rules of [new Rules([], [pattern], places), new Rules([], [], places)]) {
      expect(rules.permits(["a.txt"])).toBe(true);
    }
    expect(new Rules([pattern], [], places).permits(["a.txt"])).toBe(false);
  });

  test.each([
    ["priv//p.txt", "priv/p.txt"],
    ["priv/./p.txt", "priv/p.txt"],
    ["/srv/real/priv/*.txt", "priv/p.txt"],
    ["../real/priv/p.txt", "priv/p.txt"],
  ])("%s", (pattern, path) => {
    expect(new Rules([], [pattern], places).permits([path])).toBe(false);
    expect(new Rules([pattern], [], places).permits([path])).toBe(true);
    expect(new Rules([pattern], [], places).permits(["a.txt"])).toBe(false);
  });

  test.each(["~/till/priv", "$HOME/till/priv"])("%s, in a root below home", (pattern) => {
    const below = { roots: ["/home/till/till"], homes: ["/home/till"] };
    expect(new Rules([], [pattern], below).permits(["priv/p.txt"])).toBe(false);
  });

  test("/srv/real/priv, where the root is that of all", () => {
    const rules = new Rules([], ["/srv/real/priv"], { roots: ["/"], homes: [] });
    expect(rules.permits(["srv/real/priv/p.txt"])).toBe(false);
    expect(rules.permits(["priv/p.txt"])).toBe(true);
  });

  test.each([".", "./", "/srv/real", "/srv/link/"])("%s, which is all of a root", (pattern) => {
    expect(new Rules([], [pattern], places).permits(["a/b.txt"])).toBe(false);
    expect(new Rules([pattern], [], places).permits(["a/b.txt"])).toBe(true);
  });
});

test("a name that is spelled as a path allows one place, and denies every one", () => {
  for (const pattern of ["./logs", "/logs", "/srv/real/logs"]) {
    expect(new Rules([pattern], [], places).permits(["old/logs/a.txt"])).toBe(false);
    expect(new Rules([], [pattern], places).permits(["old/logs/a.txt"])).toBe(false);
  }
});

describe("a pattern that can match nothing, or not what was meant, is refused:", () => {
  test.each([
    ["priv ", 'write "priv", or [ ]'],
    [" priv", 'write "priv", or [ ]'],
    ["priv /p.txt", 'write "priv/p.txt", or [ ]'],
    ["priv\n", 'write "priv", or [ ]'],
    ["{priv", '"{" has no "}", write [{]'],
    ["priv}", '"}" has no "{", write [{]'],
    ["[priv", '"[" has no "]", write [{]'],
    ["priv]", '"]" has no "[", write [{]'],
    ["{priv,}", "write a name in each part"],
    ["!priv", 'write it without the "!"'],
    ["priv\\p.txt", 'write "priv/p.txt"'],
    ["priv\\", 'write "priv/"'],
    ["*.bak,*.tmp", "write each pattern by itself, or [,]"],
    ["*.bak;*.tmp", "write each pattern by itself, or [;]"],
    ["*.bak\n*.tmp", "write each pattern by itself"],
    ["/srv/other/priv", 'in no folder that is served, write a path within one: "srv/other/priv"'],
    ["/", "in no folder that is served"],
    ["../other/priv", "in no folder that is served"],
    ["..", "in no folder that is served"],
    ["~/priv", "in no folder that is served"],
    ["~", "in no folder that is served"],
    ["$HOME/priv", "in no folder that is served"],
    ["{a,b}".repeat(10), "write it as several, it stands for over 100"],
  ])("%j", (pattern, reason) => {
    for (const [setting, lists] of [
      ["--deny or CLIENT_DENY", [[], ["*.ok", pattern]]],
      ["--allow or CLIENT_ALLOW", [["*.ok", pattern], []]],
    ] as const) {
      const make = () => new Rules([...lists[0]], [...lists[1]], places);
      expect(make).toThrow(UsageError);
      expect(make).toThrow(`${setting} has the pattern "${pattern}": `);
      expect(make).toThrow(reason);
    }
  });

  test.each(["a[,]b", "a\\,b", "[{]priv", "[!]]x", "\\*", "a b", "priv[ ]", "[~]", "{1..9}.log"])(
    "but not %j",
    (pattern) => expect(() => new Rules([pattern], [pattern], places)).not.toThrow(),
  );

  test("and so are very many", () => {
    expect(() => new Rules([], Array(1001).fill("a"), places)).toThrow(/1001 patterns, expected/);
  });
});

test("no path takes long, however deep it is and whatever the patterns", () => {
  const patterns = [
    ...Array.from({ length: 20 }, (_, n) => `*.x${n}`),
    ...["**/a/**/a/**/x", "*a*a*a*x", "a/**/{b,c}/**/{d,e}/*", "{a,*}/{a,*}/{a,*}/{a,*}/x"],
  ];
  const rules = new Rules([...patterns, "*"], patterns);
  const paths = ["a/".repeat(2000), `${"a".repeat(200)}/`.repeat(20), "a".repeat(4000)];
  // Other programs on the machine may slow down some rounds, but hardly all of them.
  const rounds = Array.from({ length: 5 }, () => {
    const begun = performance.now();
    for (const path of paths) expect(rules.permits([`${path}b`])).toBe(true);
    return performance.now() - begun;
  });
  // In ms. A matcher that backtracks takes over a second.
  expect(Math.min(...rounds)).toBeLessThan(300);
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

describe("on Windows", () => {
  const rulesOf = (allow: string[], deny: string[] = []) =>
    new Rules(allow, deny, { roots: [], homes: [] }, true);

  test.each([
    ["LOGS", "logs/till.log"],
    ["logs/*.csv", "Logs/A.CSV"],
    ["*.TXT", "a.txt"],
    [".ENV", ".env"],
  ])("--allow %s lets %s leave: a name is the same in any case", (allow, path) => {
    expect(rulesOf([allow]).permits([path])).toBe(true);
    expect(new Rules([allow], [], undefined, false).permits([path])).toBe(false);
  });

  test.each([
    "a.txt:stream",
    "a.txt::$DATA",
    "logs:$I30:$INDEX_ALLOCATION/a.txt",
    "a.txt.",
    "a.txt ",
    "logs./a.txt",
    "logs /a.txt",
    "NUL",
    "nul.txt",
    "logs/CON",
    "com1.log",
    "COM¹",
    "LPT9 .txt",
    "CONIN$",
    "a?.txt",
    "a*",
    "a|b",
    "a\u0001",
  ])("%j stays: Windows takes it for something else", (path) => {
    const rules = rulesOf([]);
    expect([rules.permits([path]), rules.mayEnter([path])]).toEqual([false, false]);
  });

  test.each(["a.txt", "logs/2026~1.log", "Grüße & Co.txt", "com10", "console.txt", "a b/c d"])(
    "%s leaves",
    (path) => expect(rulesOf([]).permits([path])).toBe(true),
  );

  test("a root itself may be entered", () => expect(rulesOf([]).mayEnter([""])).toBe(true));
});
