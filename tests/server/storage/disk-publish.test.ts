import { afterEach, describe, expect, jest, spyOn, test } from "bun:test";
import nodeFs from "node:fs";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import * as durable from "../../../lib/util/durable.ts";
import { fillPart, published } from "./storage.contract.ts";
import { CONTENT, PATH, temporaryStorage } from "../../support/disk-storage.ts";

/* Publishing of parts and sets on a disk, with a failure at any step. */

const OTHER = new TextEncoder().encode("other");

afterEach(() => {
  jest.restoreAllMocks();
});

const systemError = (code: string) => Object.assign(new Error(code), { code, errno: -1 });

/** Makes every later flush of this folder fail with EIO. */
function failFlushOf(folder: string): void {
  const { syncFolder } = durable;
  spyOn(durable, "syncFolder").mockImplementation((path) =>
    path === folder ? Promise.reject(systemError("EIO")) : syncFolder(path),
  );
}

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

test("a file of a set that cannot be closed fails its flush", async () => {
  await using temporary = await temporaryStorage();
  const set = await temporary.storage.sets.open(Bun.randomUUIDv7());
  const part = await set.openFile("large");
  await part.write(CONTENT, 0);
  // close(2) fails, as on a network file system that reports failed writes only then.
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
  /**
   * Makes a part whose file also has its final name already, by a second link.
   * @returns the id of its download
   */
  async function linked({
    storage,
    folder,
    final,
    part,
  }: Awaited<ReturnType<typeof temporaryStorage>>): Promise<string> {
    const id = Bun.randomUUIDv7();
    await fillPart(storage, id, CONTENT);
    await fs.mkdir(join(folder, "site-1"));
    await fs.link(part(id), final);
    return id;
  }

  test("between link and unlink is completed by the next one", async () => {
    await using temporary = await temporaryStorage();
    const { storage } = temporary;
    const id = await linked(temporary);
    expect(await storage.publish(id, PATH)).toBe(true);
    expect(await published(storage, PATH)).toEqual(CONTENT);
    expect(await storage.listParts()).toEqual([]);
  });

  test("leaves no part through which the published file could be changed", async () => {
    await using temporary = await temporaryStorage();
    const { storage } = temporary;
    const id = await linked(temporary);
    const opened = await storage.openPart(id);
    expect(opened.size).toBe(0);
    await opened.write(OTHER, 0);
    await opened.close();
    expect(await published(storage, PATH)).toEqual(CONTENT);
  });

  test("whose part cannot be made anew tells why, and opens nothing for good", async () => {
    await using temporary = await temporaryStorage();
    const { storage } = temporary;
    const id = await linked(temporary);
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
