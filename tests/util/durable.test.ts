import { afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test";
import fs from "node:fs";
import * as promises from "node:fs/promises";
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { syncFolder, writeFileDurably } from "../../lib/util/durable.ts";
import { systemCode } from "../../lib/util/system-error.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-durable-"));
});

afterEach(async () => {
  jest.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

/** Makes every flush fail, of any file that is opened later. */
function failFlushes(noFlush = new Error("no flush")): void {
  const { open } = promises;
  spyOn(promises, "open").mockImplementation(async (...args) => {
    const handle = await open(...args);
    spyOn(handle, "sync").mockRejectedValue(noFlush);
    return handle;
  });
  const fail = (_: number, done: fs.NoParamCallback) => done(noFlush);
  const promised = { __promisify__: () => Promise.reject(noFlush) };
  spyOn(fs, "fsync").mockImplementation(Object.assign(fail, promised));
}

test("a file is written, and written over, with nothing left beside it", async () => {
  const path = join(folder, "file");
  for (const text of ["first, and longer", "second"]) {
    await writeFileDurably(path, text, 0o600);
    expect(await readFile(path, "utf8")).toBe(text);
  }
  expect(await readdir(folder)).toEqual(["file"]);
});

test.if(process.platform !== "win32")(
  "a file has the permissions asked for (needs POSIX)",
  async () => {
    for (const mode of [0o600, 0o644]) {
      await writeFileDurably(join(folder, "file"), "x", mode);
      expect((await stat(join(folder, "file"))).mode & 0o777).toBe(mode);
    }
  },
);

test("what fails leaves the old file and nothing beside it", async () => {
  // Makes a folder at the target path, which a file cannot replace.
  await mkdir(join(folder, "taken/inner"), { recursive: true });
  const error = await writeFileDurably(join(folder, "taken"), "x", 0o600).catch(
    (reason: unknown) => reason,
  );
  expect(systemCode(error)).not.toBeNull();
  expect(await readdir(folder)).toEqual(["taken"]);
});

test("the old content stays until the new one is flushed", async () => {
  const path = join(folder, "file");
  await writeFileDurably(path, "old", 0o600);
  failFlushes();
  const error = await writeFileDurably(path, "new", 0o600).catch((reason: unknown) => reason);
  expect(error).toEqual(new Error("no flush"));
  expect(await readFile(path, "utf8")).toBe("old");
  expect(await readdir(folder)).toEqual(["file"]);
});

test.if(process.platform !== "win32")(
  "a folder that is not there cannot be flushed (needs POSIX)",
  async () => {
    await syncFolder(folder);
    const error = await syncFolder(join(folder, "none")).catch((reason: unknown) => reason);
    expect(systemCode(error)).toBe("ENOENT");
  },
);

test.if(process.platform !== "win32")("a folder is flushed for real (needs POSIX)", async () => {
  failFlushes();
  const error = await syncFolder(folder).catch((reason: unknown) => reason);
  expect(error).toEqual(new Error("no flush"));
});

test.if(process.platform !== "win32")(
  "a disk that knows no flush of folders is no failure (needs POSIX)",
  async () => {
    failFlushes(Object.assign(new Error("EINVAL"), { errno: -22, code: "EINVAL" }));
    await syncFolder(folder);
    failFlushes(Object.assign(new Error("EIO"), { errno: -5, code: "EIO" }));
    const error = await syncFolder(folder).catch((reason: unknown) => reason);
    expect(systemCode(error)).toBe("EIO");
  },
);
