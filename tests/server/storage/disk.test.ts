import { afterEach, describe, expect, jest, spyOn, test } from "bun:test";
import nodeFs from "node:fs";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDiskStorage } from "../../../lib/server/storage/disk.ts";
import * as durable from "../../../lib/util/durable.ts";
import { lacksMounts } from "../../support/machine.ts";
import { SmallDisk } from "../../support/small-disk.ts";
import { setsContract } from "./sets.contract.ts";
import { fillPart, published, storageContract } from "./storage.contract.ts";

const isRoot = process.getuid?.() === 0;
const isWindows = process.platform === "win32";
const PATH = "site-1/20250102_030405_a.txt";
const CONTENT = new TextEncoder().encode("content");
const OTHER = new TextEncoder().encode("other");

afterEach(() => {
  jest.restoreAllMocks();
});

async function temporaryFolder() {
  const path = await fs.mkdtemp(join(tmpdir(), "fds-disk-"));
  return { path, [Symbol.asyncDispose]: () => fs.rm(path, { recursive: true }) };
}

async function temporaryStorage() {
  const folder = await temporaryFolder();
  const storage = await openDiskStorage(folder.path);
  return {
    storage,
    folder: folder.path,
    final: join(folder.path, PATH),
    part: (id: string) => join(folder.path, ".server/parts", `${id}.part`),
    [Symbol.asyncDispose]: async () => {
      await storage.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const modeOf = async (path: string) => (await fs.stat(path)).mode & 0o777;
const systemError = (code: string) => Object.assign(new Error(code), { code, errno: -1 });

/** The system cannot make sure of the names in this folder, from now on. */
function failFlushOf(folder: string): void {
  const { syncFolder } = durable;
  spyOn(durable, "syncFolder").mockImplementation((path) =>
    path === folder ? Promise.reject(systemError("EIO")) : syncFolder(path),
  );
}

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

describe("publishing a set", () => {
  const SUMS = { suffix: ".md5", text: "0123  set/a\n" };
  async function filled() {
    const temporary = await temporaryStorage();
    const id = Bun.randomUUIDv7();
    const set = await temporary.storage.sets.open(id);
    set.writeFile("a", CONTENT, 0n);
    await set.sync();
    await set.close();
    return { ...temporary, id };
  }

  test("never replaces a folder that is there, empty or not, nor a link", async () => {
    await using temporary = await filled();
    const { storage, folder, id } = temporary;
    await fs.mkdir(join(folder, "site-1/empty"), { recursive: true });
    await fs.mkdir(join(folder, "site-1/full"));
    await fs.writeFile(join(folder, "site-1/full/mine"), CONTENT);
    await fs.symlink("empty", join(folder, "site-1/link"));
    for (const name of ["empty", "full", "link"]) {
      expect(await storage.sets.publish(id, `site-1/${name}`, SUMS)).toBe(false);
    }
    expect((await fs.readdir(join(folder, "site-1"))).toSorted()).toEqual([
      "empty",
      "full",
      "link",
    ]);
    expect(await fs.readdir(join(folder, "site-1/empty"))).toEqual([]);
    expect(await storage.sets.publish(id, "site-1/set", SUMS)).toBe(true);
  });

  test("takes checksums that were cut off for none, and lists what was left of them", async () => {
    await using temporary = await filled();
    const { storage, folder, id } = temporary;
    const [parts, left] = [join(folder, ".server/parts"), Bun.randomUUIDv7()];
    await fs.writeFile(join(parts, `${id}.sums`), "01");
    await fs.writeFile(join(parts, `${left}.sums`), "01");
    expect(await storage.sets.publish(id, "site-1/set", SUMS)).toBe(true);
    expect(await fs.readFile(join(folder, "site-1/set.md5"), "utf8")).toBe(SUMS.text);
    expect(await storage.sets.list()).toEqual([left]);
    await storage.sets.remove(left);
    expect(await fs.readdir(parts)).toEqual([]);
  });
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

test("a file of a set that cannot be closed fails its flush", async () => {
  await using temporary = await temporaryStorage();
  const set = await temporary.storage.sets.open(Bun.randomUUIDv7());
  const part = await set.openFile("large");
  await part.write(CONTENT, 0);
  // As on a network's file system, which may report only now what it could not write.
  const failing = (fd: number, tell?: (error: Error) => void) => {
    nodeFs.closeSync(fd);
    tell?.(systemError("EIO"));
  };
  const { __promisify__ } = nodeFs.close;
  spyOn(nodeFs, "close").mockImplementationOnce(Object.assign(failing, { __promisify__ }));
  await part.close();
  await expect(set.sync()).rejects.toMatchObject({
    code: "storage_error",
    message: "cannot flush the set: EIO",
  });
  await set.close();
});

test("a part whose name may not outlive a loss of power is not called safe", async () => {
  await using temporary = await temporaryStorage();
  failFlushOf(join(temporary.folder, ".server/parts"));
  const part = await temporary.storage.openPart(Bun.randomUUIDv7());
  await part.write(CONTENT, 0);
  await expect(part.sync()).rejects.toMatchObject({
    code: "storage_error",
    message: "cannot flush the part file: EIO",
  });
  await part.close();
});

describe("a publish that was cut short", () => {
  test("between link and unlink is completed by the next one", async () => {
    await using temporary = await temporaryStorage();
    const { storage, folder, final, part } = temporary;
    const id = Bun.randomUUIDv7();
    await fillPart(storage, id, CONTENT);
    await fs.mkdir(join(folder, "site-1"));
    await fs.link(part(id), final);
    expect(await storage.publish(id, PATH)).toBe(true);
    expect(await published(storage, PATH)).toEqual(CONTENT);
    expect(await storage.listParts()).toEqual([]);
  });

  test("leaves no part through which the published file could be changed", async () => {
    await using temporary = await temporaryStorage();
    const { storage, folder, final, part } = temporary;
    const id = Bun.randomUUIDv7();
    await fillPart(storage, id, CONTENT);
    await fs.mkdir(join(folder, "site-1"));
    await fs.link(part(id), final);
    const opened = await storage.openPart(id);
    expect(opened.size).toBe(0);
    await opened.write(OTHER, 0);
    await opened.close();
    expect(await published(storage, PATH)).toEqual(CONTENT);
  });

  test("whose part cannot be made anew tells why, and opens nothing for good", async () => {
    await using temporary = await temporaryStorage();
    const { storage, folder, final, part } = temporary;
    const id = Bun.randomUUIDv7();
    await fillPart(storage, id, CONTENT);
    await fs.mkdir(join(folder, "site-1"));
    await fs.link(part(id), final);
    const { open } = fs;
    const opened: fs.FileHandle[] = [];
    spyOn(fs, "open").mockImplementation(async (...args) => {
      if (opened.length > 0) throw systemError("ENOSPC");
      opened.push(await open(...args));
      return opened[0]!;
    });
    await expect(storage.openPart(id)).rejects.toMatchObject({
      code: "storage_full",
      message: "cannot open the part file: ENOSPC",
    });
    expect(opened.map(({ fd }) => fd)).toEqual([-1]);
  });

  test.each(["", "site-1"])(
    "by a folder that cannot be flushed, %j, leaves the part, and no name outside",
    async (unflushed) => {
      await using temporary = await temporaryStorage();
      const { storage, folder } = temporary;
      const id = Bun.randomUUIDv7();
      await fillPart(storage, id, CONTENT);
      failFlushOf(join(folder, unflushed));
      await expect(storage.publish(id, PATH)).rejects.toMatchObject({
        code: "storage_error",
        message: "cannot publish the file: EIO",
      });
      expect(await fs.readdir(join(folder, "site-1"))).toEqual([]);
      jest.restoreAllMocks();
      expect(await storage.publish(id, PATH)).toBe(true);
      expect(await published(storage, PATH)).toEqual(CONTENT);
    },
  );

  test("by a part that cannot be removed leaves the part, and tells the true cause", async () => {
    await using temporary = await temporaryStorage();
    const { storage, folder, part } = temporary;
    const id = Bun.randomUUIDv7();
    await fillPart(storage, id, CONTENT);
    const { unlink } = fs;
    spyOn(fs, "unlink").mockImplementation((path) =>
      path === part(id) ? Promise.reject(systemError("EIO")) : unlink(path),
    );
    const failure = { code: "storage_error", message: "cannot publish the file: EIO" };
    await expect(storage.publish(id, PATH)).rejects.toMatchObject(failure);
    expect(await fs.readdir(join(folder, "site-1"))).toEqual([]);
    expect(await storage.listParts()).toEqual([id]);
  });
});

describe("a file system without hard links", () => {
  test.each(["EPERM", "ENOTSUP", "ENOSYS"])("that says %s gets a rename", async (code) => {
    await using temporary = await temporaryStorage();
    const { storage } = temporary;
    spyOn(fs, "link").mockRejectedValue(systemError(code));
    const [first, second] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
    await fillPart(storage, first, CONTENT);
    await fillPart(storage, second, OTHER);
    expect(await storage.publish(first, PATH)).toBe(true);
    expect(await storage.publish(second, PATH)).toBe(false);
    expect(await storage.publish(first, PATH)).toBe(true);
    expect(await published(storage, PATH)).toEqual(CONTENT);
    expect(await storage.listParts()).toEqual([second]);
  });

  test("any other error of link is an error", async () => {
    await using temporary = await temporaryStorage();
    const { storage } = temporary;
    spyOn(fs, "link").mockRejectedValue(systemError("EIO"));
    const id = Bun.randomUUIDv7();
    await fillPart(storage, id, CONTENT);
    await expect(storage.publish(id, PATH)).rejects.toMatchObject({ code: "storage_error" });
    expect(await storage.openFile(PATH)).toBeNull();
    expect(await storage.listParts()).toEqual([id]);
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
