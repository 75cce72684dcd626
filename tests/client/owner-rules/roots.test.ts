import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  realpath,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Roots } from "../../../lib/client/owner-rules/roots.ts";
import type { SourceFile } from "../../../lib/client/owner-rules/source-file.ts";
import { FdsError } from "../../../lib/protocol/errors.ts";
import { FileIdentity } from "../../../lib/protocol/identity.ts";
import { UsageError } from "../../../lib/util/flags.ts";
import { spawnSync } from "../../support/spawn.ts";

/** A name with dots in front is hidden: it has to be named. */
const allow = ["**", "..name"];

const SECRET = "outside, a secret";
const hasProc = existsSync("/proc/self/fd");

let base: string;

beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "fds-roots-")));
  // Readable for the test that gives up the rights of root.
  await chmod(base, 0o755);
  for (const folder of ["site/folder/deeper", "second/shared", "outside/folder"]) {
    await mkdir(join(base, folder), { recursive: true });
  }
  const files = {
    "site/a.txt": "site a",
    "site/folder/b.txt": "site b",
    "site/..name": "two dots in front",
    "site/~": "a tilde",
    "site/a\\b.txt": "a backslash",
    "site/$USER": "no variable",
    "second/a.txt": "second a",
    "second/only.txt": "only in second",
    "second/leaves": "hidden by the first root's link",
    "outside/secret.txt": SECRET,
  };
  for (const [path, text] of Object.entries(files)) await writeFile(join(base, path), text);
  const links = {
    link: "site",
    "site/stays": "folder/b.txt",
    "site/stays-absolute": join(base, "site/a.txt"),
    "site/stays-given": join(base, "link/a.txt"),
    "site/stays-around": "../site/a.txt",
    "site/stays-second": "../second/only.txt",
    "site/deeper": "folder/deeper",
    "site/stays-dots": "deeper/../b.txt",
    "site/chain": "./stays//",
    "site/dangling": "folder/none",
    "site/loop": "loop",
    "site/leaves": "../outside/secret.txt",
    "site/leaves-missing": "../outside/none",
    "site/leaves-folder": "../outside",
    "site/leaves-absolute": "/etc/passwd",
    "site/leaves-chain": "leaves",
    "site/leaves-base": "..",
    "site/leaves-loop": "../outside/loop",
    "outside/loop": "loop",
    "outside/back": "../site/a.txt",
  };
  for (const [path, target] of Object.entries(links)) await symlink(target, join(base, path));
});

afterAll(() => rm(base, { recursive: true, force: true }));

/** The first root is given by a link. */
function openRoots(): Promise<Roots> {
  return Roots.open([join(base, "link"), join(base, "second")], { home: base, allow });
}

async function contentOf(roots: Roots, filePath: string): Promise<string> {
  const file = await roots.openFile(filePath);
  try {
    return readFileSync(file.fd, "utf8");
  } finally {
    await file.close();
  }
}

async function problemOf(roots: Roots, filePath: string): Promise<FdsError> {
  const error = await roots.openFile(filePath).then(closeAndFail, (reason: unknown) => reason);
  if (error instanceof FdsError) return error;
  throw error;
}

async function closeAndFail(file: SourceFile): Promise<never> {
  const text = readFileSync(file.fd, "utf8");
  await file.close();
  throw new Error(`opened a file that holds "${text}"`);
}

/** Files of this test that the process holds open. */
function openFiles(): string[] {
  const descriptors = readdirSync("/proc/self/fd").flatMap((fd) => {
    const path = `/proc/self/fd/${fd}`;
    // The descriptor that read the folder is gone by now.
    return existsSync(path) ? [readlinkSync(path)] : [];
  });
  return descriptors.filter((path) => path.startsWith(base));
}

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
  // Most characters of an `error` message of the protocol.
  expect(problem.message.length).toBeLessThanOrEqual(1024);
});

test("the first root that has a name answers, even with a refusal", async () => {
  const roots = await openRoots();
  expect(await contentOf(roots, "a.txt")).toBe("site a");
  expect((await problemOf(roots, "leaves")).code).toBe("access_denied");
});

test.if(process.platform !== "win32")(
  "a FIFO, a socket and a device are not opened (needs POSIX)",
  async () => {
    const folder = join(base, "site/special");
    await mkdir(folder);
    expect(spawnSync(["mkfifo", join(folder, "fifo")]).exitCode).toBe(0);
    const server = createServer();
    await new Promise<void>((done) => server.listen(join(folder, "socket"), done));
    try {
      const roots = await Roots.open([folder, "/dev"]);
      for (const name of ["fifo", "socket", "null"]) {
        expect((await problemOf(roots, name)).code).toBe("not_a_regular_file");
      }
    } finally {
      await new Promise((done) => server.close(done));
    }
  },
);

test.if(process.platform !== "win32")(
  "what the system forbids is said to be so (needs POSIX)",
  async () => {
    const folder = join(base, "site/forbidden");
    await mkdir(folder, { mode: 0o755 });
    await writeFile(join(folder, "file"), "x", { mode: 0 });
    await mkdir(join(folder, "closed"), { mode: 0 });
    const roots = await Roots.open([folder]);
    const asRoot = process.geteuid?.() === 0;
    // Nobody: the root user may read everything.
    if (asRoot) process.seteuid?.(65_534);
    try {
      for (const filePath of ["file", "closed/file"]) {
        const problem = await problemOf(roots, filePath);
        expect(problem.code).toBe("access_denied");
        expect(problem.message).toBe(`the client may not read "${filePath}"`);
      }
    } finally {
      if (asRoot) process.seteuid?.(0);
      // Or it could not be removed.
      await chmod(join(folder, "closed"), 0o700);
    }
  },
);

describe.if(hasProc)("what the system makes up when it is read has no size (needs /proc)", () => {
  test.each(["/proc/uptime", "/proc/self/status", "/proc/sys/kernel/hostname"])(
    "%s",
    async (path) => {
      const roots = await Roots.open(["/proc"]);
      const problem = await problemOf(roots, path);
      expect(problem.code).toBe("not_a_regular_file");
      expect(problem.message).toBe(`"${path}" is not a regular file, its size is not known`);
    },
  );
});

test.each([0, 1, 2])("a file of %d bytes has a size", async (size) => {
  const path = join(base, "site/small");
  await writeFile(path, "x".repeat(size));
  expect(await contentOf(await openRoots(), "small")).toHaveLength(size);
});

test("the identity is the open file's, also after another took its name", async () => {
  const path = join(base, "site/replaced");
  await writeFile(path, "before");
  await utimes(path, 1_700_000_000, 1_700_000_000);
  const file = await (await openRoots()).openFile("replaced");
  try {
    const before = FileIdentity.parse(await file.identity());
    expect([before.size, before.mtime_ns]).toEqual([6, "1700000000000000000"]);
    await writeFile(`${path}.new`, "after, and longer");
    await rename(`${path}.new`, path);
    const now = await file.identity();
    expect([now.inode, now.device, now.size]).toEqual([before.inode, before.device, 6]);
    expect(readFileSync(file.fd, "utf8")).toBe("before");
  } finally {
    await file.close();
  }
});

test("two names of one file have one identity", async () => {
  await link(join(base, "site/a.txt"), join(base, "site/hard"));
  const roots = await openRoots();
  const identities = [];
  for (const name of ["a.txt", "hard"]) {
    const file = await roots.openFile(name);
    identities.push(await file.identity());
    await file.close();
  }
  expect(identities[0]).toEqual(identities[1] as FileIdentity);
});

test("a root that was removed serves nothing", async () => {
  const folder = join(base, "gone");
  await mkdir(folder);
  const roots = await Roots.open([folder]);
  await rm(folder, { recursive: true });
  expect((await problemOf(roots, "a.txt")).code).toBe("file_not_found");
  await symlink(join(base, "outside"), folder);
  expect((await problemOf(roots, "secret.txt")).code).toBe("access_denied");
});

describe("a root given as a link is where the link leads", () => {
  let place: string;

  beforeEach(async () => {
    place = await mkdtemp(join(base, "moved-"));
    for (const version of ["v1", "v2"]) {
      await mkdir(join(place, version, "data"), { recursive: true });
      await writeFile(join(place, version, "data/file"), version);
    }
    await symlink("v1", join(place, "current"));
  });

  async function move(path: string, target: string): Promise<void> {
    await symlink(target, `${path}.new`);
    await rename(`${path}.new`, path);
  }

  test.each([
    ["the root itself", "current", "data/file"],
    ["a folder above the root", "current/data", "file"],
  ])("after it moved: %s", async (_, root, filePath) => {
    const roots = await Roots.open([join(place, root)]);
    expect(await contentOf(roots, filePath)).toBe("v1");
    await move(join(place, "current"), "v2");
    expect(await contentOf(roots, filePath)).toBe("v2");
    expect(await contentOf(roots, join(place, root, filePath))).toBe("v2");
    const former = join(place, root.replace("current", "v1"), filePath);
    expect((await problemOf(roots, former)).code).toBe("access_denied");
  });

  test("after another link that it leads to moved", async () => {
    await symlink("current", join(place, "chain"));
    const roots = await Roots.open([join(place, "chain")]);
    await move(join(place, "current"), join(place, "v2"));
    expect(await contentOf(roots, "data/file")).toBe("v2");
  });

  test("and nothing is served while it leads nowhere", async () => {
    const roots = await Roots.open([join(place, "current")]);
    await rm(join(place, "current"));
    expect((await problemOf(roots, "data/file")).code).toBe("file_not_found");
    await symlink("none", join(place, "current"));
    expect((await problemOf(roots, "data/file")).code).toBe("file_not_found");
    await move(join(place, "current"), "v2");
    expect(await contentOf(roots, "data/file")).toBe("v2");
  });

  test("also when a folder takes its place", async () => {
    const roots = await Roots.open([join(place, "current")]);
    await rm(join(place, "current"));
    await rename(join(place, "v2"), join(place, "current"));
    expect(await contentOf(roots, "data/file")).toBe("v2");
  });

  test("but a folder that became a link is not followed", async () => {
    const roots = await Roots.open([join(place, "current/data")]);
    await rm(join(place, "v1/data"), { recursive: true });
    await symlink(join(base, "outside"), join(place, "v1/data"));
    expect((await problemOf(roots, "secret.txt")).code).toBe("access_denied");
  });

  test.each([
    ["itself", "v2/current", "v2/current"],
    ["by way of another", "v2/current", "way"],
  ])("but stays where it was if it lies in another root, %s", async (_, inner, root) => {
    await symlink("../v1", join(place, inner));
    await symlink(inner, join(place, "way"));
    const roots = await Roots.open([join(place, root), join(place, "v2")]);
    await move(join(place, inner), join(base, "outside"));
    expect((await problemOf(roots, "secret.txt")).code).toBe("file_not_found");
    expect(await contentOf(roots, "data/file")).toBe("v1");
  });

  test("and so is a withheld folder, which also stays away where it was", async () => {
    const site = join(place, "v1");
    const roots = await Roots.open([site]);
    await mkdir(join(site, "state"));
    await writeFile(join(site, "state/key"), SECRET);
    await symlink("v1/state", join(place, "state"));
    await roots.withhold(join(place, "state"));
    await move(join(place, "state"), "v1/data");
    for (const filePath of ["state/key", "data/file"]) {
      expect((await problemOf(roots, filePath)).code).toBe("access_denied");
    }
  });
});

test.each([
  ["none at all", [], "--root"],
  ["one that is not there", ["none"], '"none"'],
  ["a file", ["package.json"], '"package.json"'],
  ["a bad one among good ones", [tmpdir(), "none"], '"none"'],
])("roots are refused: %s", async (_, paths, named) => {
  const error = await Roots.open(paths).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toContain(named);
  expect(String(error)).toContain("--root");
});

test.if(hasProc)("no descriptor is left behind (needs /proc)", async () => {
  const roots = await openRoots();
  for (const filePath of ["a.txt", "folder", "none", "leaves", "../outside/secret.txt", "loop"]) {
    const file = await roots.openFile(filePath).catch(() => null);
    await file?.close();
  }
  expect(openFiles()).toEqual([]);
});

test("what is withheld stays, by whatever way, and however it is allowed", async () => {
  const roots = await openRoots();
  await roots.withhold(join(base, "link/folder"));
  for (const path of ["folder/b.txt", "folder/none", "stays", join(base, "site/folder/b.txt")]) {
    expect((await problemOf(roots, path)).code).toBe("access_denied");
  }
  expect(await contentOf(roots, "a.txt")).toBe("site a");
  await expect(roots.withhold(join(base, "none"))).rejects.toThrow("ENOENT");
});
