import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Roots } from "../../../lib/client/owner-rules/roots.ts";
import { FdsError } from "../../../lib/protocol/errors.ts";
import { UsageError } from "../../../lib/util/flags.ts";
import {
  allow,
  base,
  contentOf,
  openRoots,
  problemOf,
  SECRET,
  useRootsSite,
} from "../../support/roots-site.ts";

useRootsSite();

const hasProc = existsSync("/proc/self/fd");

describe.each([
  ["by the place of the open file", hasProc],
  ["by a second look at the path", false],
])("a file is served, checked %s:", (_, proc) => {
  test.each([
    ["relative", "a.txt", "site a"],
    ["in a folder", "folder/b.txt", "site b"],
    ["with dots that stay inside", "./folder/../folder//b.txt", "site b"],
    ["with dots over a folder that is not there", "none/../a.txt", "site a"],
    ["with a name of two dots and more", "..name", "two dots in front"],
    ["named by a tilde", "~", "a tilde"],
    ["named like a variable", "$USER", "no variable"],
    ["only in the second root", "only.txt", "only in second"],
    ["by a link", "stays", "site b"],
    ["by an absolute link", "stays-absolute", "site a"],
    ["by an absolute link through the root as given", "stays-given", "site a"],
    ["by a link out and back in", "stays-around", "site a"],
    ["by a link into another root", "stays-second", "only in second"],
    ["by a link whose dots follow a link", "stays-dots", "site b"],
    ["by a chain of links", "chain", "site b"],
    ["below home", "~/site/a.txt", "site a"],
    ["below home, by the root as given", "$HOME/link/folder/b.txt", "site b"],
    ["below home, with dots", "~/outside/../second/a.txt", "second a"],
  ])("%s", async (_name, filePath, text) => {
    const roots = await Roots.open([join(base, "link"), join(base, "second")], {
      allow,
      home: base,
      hasProc: proc,
    });
    expect(await contentOf(roots, filePath)).toBe(text);
  });
});

test("an absolute path is served by the root's real path and by the one it was given as", async () => {
  const roots = await openRoots();
  expect(await contentOf(roots, join(base, "site/a.txt"))).toBe("site a");
  expect(await contentOf(roots, join(base, "link/folder/b.txt"))).toBe("site b");
  expect(await contentOf(roots, `${base}/outside/../second/only.txt`)).toBe("only in second");
});

test("home may be a link itself", async () => {
  const home = join(base, "home-link");
  await symlink(base, home);
  const roots = await Roots.open([join(base, "site")], { home });
  expect(await contentOf(roots, "~/site/a.txt")).toBe("site a");
});

test("without a home nothing lies below it", async () => {
  const roots = await Roots.open([join(base, "site")], { home: null });
  expect(await contentOf(roots, "a.txt")).toBe("site a");
  for (const path of ["~/site/a.txt", "$HOME/site/a.txt"]) {
    expect(await problemOf(roots, path)).toHaveProperty("code", "access_denied");
  }
  const deny = ["~/site/a.txt"];
  await expect(Roots.open([join(base, "site")], { home: null, deny })).rejects.toThrow(UsageError);
});

test("a root may be given relative to the working directory", async () => {
  const roots = await Roots.open(["lib/client/owner-rules"]);
  expect(await contentOf(roots, "roots.ts")).toContain("export class Roots");
});

test("the root of the file system serves everything", async () => {
  const roots = await Roots.open(["/"]);
  expect(await contentOf(roots, join(base, "outside/secret.txt"))).toBe(SECRET);
  expect(await contentOf(roots, join(base, "site/leaves").slice(1))).toBe(SECRET);
});

test.if(process.platform !== "win32")(
  "a backslash is an ordinary character (needs POSIX)",
  async () => {
    const roots = await openRoots();
    expect(await contentOf(roots, "a\\b.txt")).toBe("a backslash");
    expect((await problemOf(roots, "folder\\b.txt")).code).toBe("file_not_found");
  },
);

test.each([
  "../outside/secret.txt",
  "../outside/none",
  "folder/../../outside/secret.txt",
  "..",
  "/",
  "/etc/passwd",
  "/none/at/all",
  "/site/a.txt",
  "~/outside/secret.txt",
  "~/",
  "~/..",
  "$HOME/outside/none",
  "leaves",
  "leaves-missing",
  "leaves-folder",
  "leaves-folder/secret.txt",
  "leaves-folder/none",
  "leaves-folder/none/none",
  "leaves-folder/back",
  "leaves-folder/folder",
  "leaves-absolute",
  "leaves-chain",
  "leaves-base",
  "leaves-base/outside/secret.txt",
  "leaves-loop",
  `leaves-folder/${"x".repeat(300)}`,
  "a.txt\0",
  "\0",
])("nothing is told of what is outside: %j", async (filePath) => {
  const problem = await problemOf(await openRoots(), filePath);
  expect([problem.code, problem.message]).toEqual([
    "access_denied",
    `"${filePath}" is not in a folder that the client serves`,
  ]);
  expect(problem.cause).toBeUndefined();
});

test("a folder beside a root whose name begins like the root's is outside", async () => {
  await mkdir(join(base, "site-2"));
  await writeFile(join(base, "site-2/a.txt"), SECRET);
  const roots = await openRoots();
  expect((await problemOf(roots, join(base, "site-2/a.txt"))).code).toBe("access_denied");
  expect((await problemOf(roots, "../site-2/a.txt")).code).toBe("access_denied");
});

test.each([
  ["none.txt", "file_not_found"],
  ["none/none", "file_not_found"],
  ["a.txt/none", "file_not_found"],
  ["dangling", "file_not_found"],
  ["loop", "file_not_found"],
  ["x".repeat(300), "file_not_found"],
  ["x/".repeat(2048), "file_not_found"],
  ["~none/a.txt", "file_not_found"],
  ["$HOMEnone/a.txt", "file_not_found"],
  [".", "not_a_regular_file"],
  ["folder", "not_a_regular_file"],
  ["deeper", "not_a_regular_file"],
  ["~/site", "not_a_regular_file"],
])("what is inside has its true cause: %j", async (filePath, code) => {
  const problem = await problemOf(await openRoots(), filePath);
  expect(problem.code).toBe(code as FdsError["code"]);
  expect(problem.message).toContain(`"${filePath.slice(0, 500)}`);
  expect(problem.message).not.toContain(base);
  // The most characters that the protocol allows in an `error` message.
  expect(problem.message.length).toBeLessThanOrEqual(1024);
});

test("the first root that has a name answers, even with a refusal", async () => {
  const roots = await openRoots();
  expect(await contentOf(roots, "a.txt")).toBe("site a");
  expect((await problemOf(roots, "leaves")).code).toBe("access_denied");
});
