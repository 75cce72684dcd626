import { afterEach, describe, expect, jest, spyOn, test } from "bun:test";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { openDiskStorage } from "../../../lib/server/storage/disk.ts";
import { CONTENT, PATH, temporaryFolder, temporaryStorage } from "../../support/disk-storage.ts";
import { lacksMounts } from "../../support/machine.ts";
import { SmallDisk } from "../../support/small-disk.ts";
import { setsContract } from "./sets.contract.ts";
import { fillPart, storageContract } from "./storage.contract.ts";

const isRoot = process.getuid?.() === 0;
const isWindows = process.platform === "win32";

afterEach(() => {
  jest.restoreAllMocks();
});

const modeOf = async (path: string) => (await fs.stat(path)).mode & 0o777;

storageContract("disk", temporaryStorage);
setsContract("disk", temporaryStorage);

test("where nothing is mounted, no file counts as missing", async () => {
  await using temporary = await temporaryStorage();
  const { storage, folder } = temporary;
  const id = Bun.randomUUIDv7();
  await fillPart(storage, id, CONTENT);
  await storage.publish(id, PATH);
  expect((await storage.namesOf("site-1")).size).toBe(1);
  await fs.rename(join(folder, ".server"), join(folder, "away"));
  await fs.rm(join(folder, "site-1"), { recursive: true });
  await expect(storage.namesOf("site-1")).rejects.toMatchObject({ code: "storage_error" });
  await fs.rename(join(folder, "away"), join(folder, ".server"));
  expect((await storage.namesOf("site-1")).size).toBe(0);
});

describe("on the disk", () => {
  test.skipIf(isWindows)("only the operator's own files are for others to read", async () => {
    await using temporary = await temporaryStorage();
    const { storage, folder, final, part } = temporary;
    const id = Bun.randomUUIDv7();
    await fillPart(storage, id, CONTENT);
    for (const own of [".server", ".server/parts"]) {
      expect(await modeOf(join(folder, own))).toBe(0o700);
    }
    expect(await modeOf(part(id))).toBe(0o644 & ~process.umask());
    await storage.publish(id, PATH);
    expect(await modeOf(final)).toBe(0o644 & ~process.umask());
  });

  test("what is no part is not listed as one", async () => {
    await using temporary = await temporaryStorage();
    await fs.writeFile(temporary.part("notes"), "");
    await fs.writeFile(temporary.part(Bun.randomUUIDv7()).replace(".part", ".txt"), "");
    expect(await temporary.storage.listParts()).toEqual([]);
  });

  test("a folder or a link in the place of a published file is not opened", async () => {
    await using temporary = await temporaryStorage();
    const { storage, folder, final } = temporary;
    await fs.mkdir(final, { recursive: true });
    expect(await storage.openFile(PATH)).toBeNull();
    await fs.rmdir(final);
    await fs.writeFile(join(folder, "outside"), "secret");
    await fs.symlink(join(folder, "outside"), final);
    expect(await storage.openFile(PATH)).toBeNull();
  });

  test("a broken link in the place of the final name is not written through", async () => {
    await using temporary = await temporaryStorage();
    const { storage, folder, final } = temporary;
    const id = Bun.randomUUIDv7();
    await fillPart(storage, id, CONTENT);
    await fs.mkdir(join(folder, "site-1"));
    await fs.symlink(join(folder, "elsewhere"), final);
    expect(await storage.publish(id, PATH)).toBe(false);
    expect(await storage.listParts()).toEqual([id]);
    expect(await fs.exists(join(folder, "elsewhere"))).toBe(false);
  });

  test("an error's message holds no path of this machine", async () => {
    await using temporary = await temporaryStorage();
    await fs.rm(join(temporary.folder, ".server/parts"), { recursive: true });
    await expect(temporary.storage.openPart(Bun.randomUUIDv7())).rejects.toMatchObject({
      code: "storage_error",
      message: "cannot open the part file: ENOENT",
    });
  });
});

describe("a client's folder that somebody removed", () => {
  test("is made again for a file, and for a set", async () => {
    await using temporary = await temporaryStorage();
    const { storage, folder } = temporary;
    const publishFile = async (savedPath: string) => {
      const id = Bun.randomUUIDv7();
      await (await storage.openPart(id)).close();
      return storage.publish(id, savedPath);
    };
    const publishSet = async (savedPath: string) => {
      const id = Bun.randomUUIDv7();
      const set = await storage.sets.open(id);
      set.writeFile("a", new Uint8Array(1), 0n);
      await set.close();
      return storage.sets.publish(id, savedPath, { suffix: ".md5", text: "" });
    };
    expect(await publishFile("site-1/one")).toBe(true);
    for (const publish of [publishFile, publishSet, publishSet]) {
      await fs.rm(join(folder, "site-1"), { recursive: true });
      expect(await publish("site-1/again")).toBe(true);
    }
  });
});

describe("opening the folder", () => {
  test("makes it, with those above it", async () => {
    await using folder = await temporaryFolder();
    const storage = await openDiskStorage(join(folder.path, "a/b"));
    expect(await fs.readdir(join(folder.path, "a/b"))).toEqual([".server"]);
    await storage.close();
  });

  test("fails in words where a file is in the way", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "file");
    await fs.writeFile(path, "");
    const opening = openDiskStorage(path);
    await expect(opening).rejects.toThrow(`make "${path}" a folder that this user can write to: `);
  });

  test.skipIf(isRoot || isWindows)(
    "fails in words where nobody may write (not as root)",
    async () => {
      await using folder = await temporaryFolder();
      await fs.mkdir(join(folder.path, ".server/parts"), { recursive: true });
      await fs.chmod(folder.path, 0o500);
      const opening = openDiskStorage(folder.path);
      await expect(opening).rejects.toThrow(
        `make "${folder.path}" a folder that this user can write to: EACCES`,
      );
      await fs.chmod(folder.path, 0o700);
    },
  );
});

test("free room is that of the last 20 ms, asked for once", async () => {
  await using temporary = await temporaryStorage();
  const { statfs } = fs;
  const asked = spyOn(fs, "statfs").mockImplementation(statfs);
  const clock = spyOn(performance, "now").mockReturnValue(1_000);
  for (const [now, times] of [
    [1_000, 1],
    [1_020, 1],
    [1_021, 2],
  ] as const) {
    clock.mockReturnValue(now);
    expect((await temporary.storage.freeSpace()).total).toBeGreaterThan(0);
    expect(asked).toHaveBeenCalledTimes(times);
  }
});

test.skipIf(lacksMounts !== "")(`a full disk, for real${lacksMounts}`, async () => {
  await using folder = await temporaryFolder();
  await using disk = await SmallDisk.mount(folder.path, 1024 * 1024);
  expect(disk).not.toBeNull();
  const storage = await openDiskStorage(folder.path);
  await expect(openDiskStorage(folder.path)).rejects.toThrow("another server already uses");
  const part = await storage.openPart(Bun.randomUUIDv7());
  await expect(part.write(new Uint8Array(2 * 1024 * 1024), 0)).rejects.toMatchObject({
    code: "storage_full",
    message: "cannot write the part file: ENOSPC",
  });
  expect((await storage.freeSpace()).free).toBe(0);
  await part.truncate(0);
  await part.write(CONTENT, 0);
  await part.sync();
  expect(await part.read(0, 100)).toEqual(CONTENT);
  await part.close();
  await storage.close();
});
