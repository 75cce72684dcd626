import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { chmod, link, mkdir, rename, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { Roots } from "../../../lib/client/owner-rules/roots.ts";
import { FileIdentity } from "../../../lib/protocol/identity.ts";
import { base, contentOf, openRoots, problemOf, useRootsSite } from "../../support/roots-site.ts";
import { spawnSync } from "../../support/spawn.ts";

useRootsSite();

/* Opening a source file: only regular files are opened, and they have a size and an identity. */

const hasProc = existsSync("/proc/self/fd");

/** Returns the paths of this test's files that the process holds open. */
function openFiles(): string[] {
  const descriptors = readdirSync("/proc/self/fd").flatMap((fd) => {
    const path = `/proc/self/fd/${fd}`;
    // The list includes the descriptor that was open for reading the list itself. It is closed by now.
    return existsSync(path) ? [readlinkSync(path)] : [];
  });
  return descriptors.filter((path) => path.startsWith(base));
}

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
    // Becomes the user nobody, because root may read everything.
    if (asRoot) process.seteuid?.(65_534);
    try {
      for (const filePath of ["file", "closed/file"]) {
        const problem = await problemOf(roots, filePath);
        expect(problem.code).toBe("access_denied");
        expect(problem.message).toBe(`the client may not read "${filePath}"`);
      }
    } finally {
      if (asRoot) process.seteuid?.(0);
      // Makes the folder readable again, so that it can be removed.
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

test.if(hasProc)("no descriptor is left behind (needs /proc)", async () => {
  const roots = await openRoots();
  for (const filePath of ["a.txt", "folder", "none", "leaves", "../outside/secret.txt", "loop"]) {
    const file = await roots.openFile(filePath).catch(() => null);
    await file?.close();
  }
  expect(openFiles()).toEqual([]);
});
