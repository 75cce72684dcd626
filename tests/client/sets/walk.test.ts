import { beforeEach, describe, expect, test } from "bun:test";
import fs from "node:fs";
import { join } from "node:path";
import { type RootsOptions } from "../../../lib/client/owner-rules/roots.ts";
import { lacksMounts, run } from "../../support/machine.ts";
import { spawn, spawnSync } from "../../support/spawn.ts";
import {
  type Asked,
  base,
  found,
  put,
  site,
  useWalkedSite,
  walked,
  walkThrough,
} from "../../support/walk.ts";

useWalkedSite();

/* The files that belong to a set: each file that a pattern matches is listed, if need be with an error. */

const isRoot = process.getuid?.() === 0;
const isWindows = process.platform === "win32";
const hasProc = fs.existsSync("/proc/self/fd");

/** Returns a path in the site whose bytes are not UTF-8. */
const raw = (path: string) => Buffer.from(`${site}/${path}`, "latin1");

/** Walks through the site. @returns the patterns that match nothing */
async function unmatched(asked: Asked): Promise<string[]> {
  const { walk } = await walkThrough(asked);
  return walk.unmatched.map((place) => asked.include?.[place] ?? "");
}

describe.skipIf(isWindows)("a name that", () => {
  test.each([
    ["has 255 bytes", "n".repeat(255)],
    ["has a newline", "a\nb"],
    ["has a backslash", "a\\b"],
    ["has codes for a terminal", "\u001b[31mred\u0007"],
    ["is in letters beyond 16 bits", "😀"],
    ["has spaces around it", " a "],
    ["ends with dots", "a..."],
    ["looks like a pattern", "[a]{b,c}*?"],
  ])("%s is a file, and a folder, like others", async (_, name) => {
    put(`${name}/${name}`);
    put("file");
    expect(await walked()).toEqual(["file", `${name}/${name}`]);
  });

  test("differs from another one in its case or composition alone is one of its own", async () => {
    for (const name of ["a", "A", "\u00e9".normalize("NFD"), "é2"]) put(`${name}/x`);
    expect(await walked()).toEqual(["A/x", "a/x", "e\u0301/x", "é2/x"]);
  });

  test("is not UTF-8 has a row, also where others look the same", async () => {
    for (const name of ["caf\xe8", "caf\xe9"]) fs.writeFileSync(raw(name), "");
    for (const name of ["dir\xe8", "dir\xe9"]) fs.mkdirSync(raw(name));
    const row = (path: string) => `${path}\uFFFD: name_unusable`;
    expect(await walked()).toEqual(["caf", "caf", "dir", "dir"].map(row));
    expect(await walked({ include: ["*/deep"] })).toEqual(["dir", "dir"].map(row));
  });

  test("holds the character that others are shown with is taken for what it is", async () => {
    for (const name of ["a\xe8", "a\xe9"]) fs.mkdirSync(raw(name));
    put("a\uFFFD", "mine");
    const files = await found();
    expect(files.filter(({ skipped }) => !skipped)).toMatchObject([{ path: "a\uFFFD", size: 4 }]);
    expect(files.filter(({ skipped }) => skipped === "name_unusable")).toHaveLength(2);
  });

  test("is not UTF-8, and hidden or denied, does not exist", async () => {
    for (const name of [".caf\xe9", "no\xe9"]) fs.writeFileSync(raw(name), "");
    fs.mkdirSync(raw(".dir\xe9"));
    const include = ["**", ".*", ".*/**"];
    expect(await walked({ include, deny: ["no*"] })).toEqual([]);
  });

  test("makes a path of over 900 bytes has a row", async () => {
    const deep = Array.from({ length: 3 }, () => "d".repeat(250)).join("/");
    put(`${deep}/${"n".repeat(147)}`);
    put(`${deep}/${"n".repeat(148)}`);
    expect(await walked()).toEqual([
      `${deep}/${"n".repeat(147)}`,
      `${deep}/${"n".repeat(148)}: name_unusable`,
    ]);
  });
});

describe.skipIf(isWindows)("links and what is no file", () => {
  test("are no part of a set", async () => {
    put("outside/treasure", "x", base);
    put("real/file");
    fs.symlinkSync("../outside", join(site, "link-to-folder"));
    fs.symlinkSync("../outside/treasure", join(site, "link-to-file"));
    fs.symlinkSync("real", join(site, "link-inside"));
    fs.symlinkSync("nowhere", join(site, "broken"));
    spawnSync(["mkfifo", join(site, "fifo")]);
    const include = ["**", "link-to-folder/treasure", "link-to-file", "link-inside", "fifo"];
    expect(await walked({ include })).toEqual(["real/file"]);
  });

  test("but a root may be a link of its owner, which may move", async () => {
    put("one/a", "x", base);
    put("two/b", "x", base);
    fs.symlinkSync("one", join(base, "root"));
    expect(await walked({ roots: [join(base, "root")] })).toEqual(["a"]);
    fs.rmSync(join(base, "root"));
    fs.symlinkSync("two", join(base, "root"));
    expect(await walked({ roots: [join(base, "root")] })).toEqual(["b"]);
  });

  test("a root that somebody else swapped for a link is not followed", async () => {
    put("file");
    const meanwhile = () => {
      fs.renameSync(site, join(base, "aside"));
      fs.symlinkSync("aside", site);
    };
    expect(await walked({ beforehand: meanwhile })).toEqual([]);
  });
});

describe("the owner's rules", () => {
  beforeEach(() => {
    for (const path of ["a/x.csv", "a/x.log", ".env", ".git/config", "keys/server.key", "b/.h/x"])
      put(path);
  });
  const include = ["**", ".*", "**/.*", ".*/**", "**/.*/**"];

  test.each<[string, RootsOptions, string[]]>([
    ["none: no hidden file, no key", {}, ["a/x.csv", "a/x.log"]],
    ["what is denied", { deny: ["*.log"] }, ["a/x.csv"]],
    ["a folder that is denied", { deny: ["a"] }, []],
    ["what alone is allowed", { allow: ["*.csv"] }, ["a/x.csv"]],
    ["a folder below which is allowed", { allow: ["a/x.log"] }, ["a/x.log"]],
    ["a hidden file that is allowed", { allow: [".env"] }, [".env"]],
    ["a hidden folder that is allowed", { allow: [".git"] }, [".git/config"]],
    ["what is denied all the same", { allow: [".git"], deny: [".git/config"] }, []],
  ])("hold: %s", async (_, rules, expected) => {
    expect(await walked({ ...rules, include })).toEqual(expected);
  });

  test("hold for a site that lists nothing, where a file is named whole", async () => {
    expect(await walked({ include: ["a/x.csv"], mayBrowse: false })).toEqual(["a/x.csv"]);
    for (const pattern of ["a", "a/*", "**"]) {
      const refused = walked({ include: [pattern], mayBrowse: false });
      expect(refused).rejects.toMatchObject({ code: "access_denied" });
    }
  });
});

describe("a pattern matches something", () => {
  beforeEach(() => {
    for (const path of ["a/x.csv", "a/deep/y.csv", "b/z.log", ".env"]) put(path);
    fs.mkdirSync(join(site, "empty"));
  });

  test.each<[string, Asked, string[]]>([
    ["where a file is named", { include: ["a/x.csv", "b/*"] }, []],
    ["where others match the same", { include: ["a", "**/*.csv", "a/x.csv"] }, []],
    ["by its whole path", { include: ["SITE/a/*", "SITE/no/*"] }, ["SITE/no/*"]],
    ["and not where nothing is", { include: ["c/*", "a/*", "*.txt"] }, ["c/*", "*.txt"]],
    ["and not as a folder without files", { include: ["empty/", "a"] }, ["empty/"]],
    ["and not where it is left out", { include: ["a", "b"], exclude: ["b/*"] }, ["b"]],
    ["and not where it stays at home", { include: [".env", "a"] }, [".env"]],
    ["where it is left for later", { include: ["a", "b"], minAgeMs: 3_600_000 }, []],
  ])("%s", async (_, asked, expected) => {
    const placed = (patterns: string[]) => patterns.map((each) => each.replace("SITE", site));
    const include = placed(asked.include ?? []);
    expect(await unmatched({ ...asked, include })).toEqual(placed(expected));
  });
});

describe("of many roots", () => {
  test("the first one's file counts, and all others come", async () => {
    const roots = ["one", "two"].map((name) => join(base, name));
    put("same", "1", roots[0]);
    put("same", "22", roots[1]);
    put("other", "", roots[1]);
    put("x", "", roots[0]);
    put("x/y", "", roots[1]);
    const files = await found({ roots });
    expect(files.map(({ path, root, size }) => [path, root, size])).toEqual([
      ["same", 0, 1],
      ["x", 0, 0],
      ["other", 1, 0],
      ["x/y", 1, 0],
    ]);
  });

  test.skipIf(isRoot || isWindows)("a folder that cannot be read has a row for each", async () => {
    const roots = ["one", "two"].map((name) => join(base, name));
    for (const root of roots) {
      put("no/file", "", root);
      fs.chmodSync(join(root, "no"), 0);
    }
    expect(await walked({ roots })).toEqual(["no: access_denied", "no: access_denied"]);
    for (const root of roots) fs.chmodSync(join(root, "no"), 0o700);
  });

  test("patterns that name nothing in any are refused", () => {
    const refused = walked({ include: ["/etc/passwd", "/no/such/*"] });
    expect(refused).rejects.toMatchObject({ code: "access_denied" });
  });
});

test("files that were changed too recently have a row, also those of the future", async () => {
  for (const name of ["new", "old", "future"]) put(name);
  fs.utimesSync(join(site, "old"), 1, 1);
  fs.utimesSync(join(site, "future"), 9_000_000_000, 9_000_000_000);
  expect(await walked({ minAgeMs: 3_600_000 })).toEqual([
    "future: not_settled",
    "new: not_settled",
    "old",
  ]);
});

test.skipIf(!fs.existsSync("/dev/shm"))("sizes and times that are beyond all bounds", async () => {
  const memory = fs.mkdtempSync("/dev/shm/fds-walk-");
  try {
    for (const name of ["big", "late"]) put(name, "", memory);
    spawnSync(["truncate", "-s", "9007199254740993", join(memory, "big")]);
    spawnSync(["touch", "-d", "@9999999999999", join(memory, "late")]);
    expect(await walked({ roots: [memory] })).toEqual(["big: file_unreadable", "late"]);
  } finally {
    fs.rmSync(memory, { recursive: true });
  }
});

test.skipIf(lacksMounts !== "")(
  `a mount is walked through like a folder${lacksMounts}`,
  async () => {
    put("mount/below");
    const mount = join(site, "mount");
    expect(await run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount)).toBe(true);
    try {
      put("mount/inside");
      expect(await walked()).toEqual(["mount/inside"]);
    } finally {
      await run("umount", mount);
    }
  },
);

test.skipIf(!hasProc)(
  "/proc has an end, and processes that end under way do not end the walk",
  async () => {
    await using short = spawn(["sleep", "1000"], { stdio: ["ignore", "ignore", "ignore"] });
    const own = `${short.pid}/**`;
    const files = await found({ roots: ["/proc"], include: [own, "sys/kernel/**", "self/**"] });
    expect(files.length).toBeGreaterThan(100);
    expect(files.some(({ path }) => path.startsWith("self/"))).toBe(false);
    const meanwhile = () => short.kill("SIGKILL");
    await found({ roots: ["/proc"], include: [own], meanwhile });
    await short.exited;
    const ended = await found({ roots: ["/proc"], include: [own] });
    expect(ended).toEqual([]);
  },
);
