import { expect, test } from "bun:test";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockOut } from "../../lib/util/lock.ts";
import { spawn } from "../support/spawn.ts";

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), "fds-lock-"));
  return {
    path,
    lock: join(path, "lock"),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  };
}

test("one holder in this process, and again one when it let go", async () => {
  await using folder = await temporaryFolder();
  const refusal = `another server already uses "${folder.path}"`;
  const unlock = lockOut(folder.path, folder.lock);
  expect(() => lockOut(folder.path, folder.lock)).toThrow(refusal);
  // The refused attempt must not have released the holder's lock.
  expect(() => lockOut(folder.path, folder.lock)).toThrow(refusal);
  unlock();
  const unlockAgain = lockOut(folder.path, folder.lock);
  expect(() => lockOut(folder.path, folder.lock)).toThrow(refusal);
  unlockAgain();
});

test("another way to the same folder leads to the same lock", async () => {
  await using folder = await temporaryFolder();
  await using elsewhere = await temporaryFolder();
  const other = join(elsewhere.path, "link");
  await symlink(folder.path, other);
  const unlock = lockOut(folder.path, folder.lock);
  expect(() => lockOut(other, join(other, "lock"))).toThrow(`already uses "${other}"`);
  unlock();
});

test("a process that forgot its lock still holds it, until it is killed", async () => {
  await using folder = await temporaryFolder();
  const module = Bun.resolveSync("../../lib/util/lock.ts", import.meta.dir);
  const script = `
    import { lockOut } from ${JSON.stringify(module)};
    lockOut("x", ${JSON.stringify(folder.lock)});
    setImmediate(() => {
      Bun.gc(true);
      console.log("locked");
    });
    setInterval(() => {}, 60_000);`;
  await using holder = spawn([process.execPath, "-e", script], { stdout: "pipe" });
  const { value } = await holder.stdout.getReader().read();
  expect(new TextDecoder().decode(value)).toBe("locked\n");
  expect(() => lockOut(folder.path, folder.lock)).toThrow("another server already uses");
  holder.kill("SIGKILL");
  await holder.exited;
  lockOut(folder.path, folder.lock)();
});

test("a lock file that is none is told of", async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.lock, "no database, but long enough to be taken for one".repeat(100));
  expect(() => lockOut(folder.path, folder.lock)).toThrow(
    `cannot lock "${folder.path}": SQLITE_NOTADB`,
  );
});
