import { afterEach, describe, expect, jest, setDefaultTimeout, spyOn, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDiskStorage } from "../../../lib/server/storage/disk.ts";
import { openS3Storage } from "../../../lib/server/storage/s3/s3.ts";
import type { Part, Storage } from "../../../lib/server/storage/storage.ts";
import * as durable from "../../../lib/util/durable.ts";
import { FakeS3 } from "../../support/fake-s3.ts";
import { LoopDisk } from "../../support/loop-disk.ts";
import { lacksLoopDisks } from "../../support/machine.ts";
import { optionsFor } from "../../support/s3-storage.ts";
import { TEST_LIMIT } from "../../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* One storage for several servers: a server that lost a download cannot harm the server that has it now. */

/** One storage, opened by two servers. */
interface Shared extends AsyncDisposable {
  first: Storage;
  second: Storage;
}

async function onDisk(): Promise<Shared> {
  const folder = await mkdtemp(join(tmpdir(), "fds-shared-"));
  const [first, second] = [
    await openDiskStorage(folder, true),
    await openDiskStorage(folder, true),
  ];
  return {
    first,
    second,
    [Symbol.asyncDispose]: async () => {
      for (const storage of [first, second]) await storage.close();
      await rm(folder, { recursive: true });
    },
  };
}

async function inS3(): Promise<Shared> {
  const s3 = new FakeS3();
  const prefix = `${Bun.randomUUIDv7()}/`;
  const open = () => openS3Storage({ ...optionsFor(s3), prefix, isShared: true });
  const [first, second] = [await open(), await open()];
  return {
    first,
    second,
    [Symbol.asyncDispose]: async () => {
      for (const storage of [first, second]) await storage.close();
      await s3[Symbol.asyncDispose]();
    },
  };
}

const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = async (part: Part, length = 100) =>
  new TextDecoder().decode(await part.read(0, length));
const publishedIn = async (storage: Storage, path: string) => {
  const file = await storage.openFile(path);
  return file && new Response(file.slice(0, file.size)).text();
};

describe.each([
  ["a folder", onDisk],
  ["a bucket", inS3],
])("in %s that servers share", (_, open) => {
  const id = Bun.randomUUIDv7();

  test("servers know that they have the same", async () => {
    await using shared = await open();
    expect(await shared.first.identity()).toBe(await shared.second.identity());
    await using other = await open();
    expect(await other.first.identity()).not.toBe(await shared.first.identity());
  });

  test("a part is gone on with, and who had it changes nothing any more", async () => {
    await using shared = await open();
    const { first, second } = shared;
    const lost = await first.openPart(id, 1);
    await lost.write(bytes("begun"), 0);
    await lost.sync();
    const taken = await second.openPart(id, 2);
    expect(await textOf(taken)).toBe("begun");
    await taken.write(bytes(" here"), 5);
    await lost.write(bytes(" there, and more"), 5);
    await lost.sync();
    await lost.close();
    await taken.sync();
    expect(await textOf(taken)).toBe("begun here");
    await taken.close();
    expect(await second.publish(id, "site-1/file", 2)).toBe(true);
    // The server that lost the download wakes while publishing, and continues with its old bytes.
    await first.publish(id, "site-1/file", 1).catch(() => false);
    expect(await publishedIn(first, "site-1/file")).toBe("begun here");
    await first.removePart(id);
    expect(await second.listParts()).toEqual([]);
  });

  test("a part that is whole is published by whoever takes it over", async () => {
    await using shared = await open();
    const { first, second } = shared;
    const part = await first.openPart(id, 3);
    await part.write(bytes("whole"), 0);
    await part.sync();
    await part.close();
    const taken = await second.openPart(id, 4, true);
    expect(await textOf(taken)).toBe("whole");
    await taken.close();
    expect(await second.publish(id, "site-1/whole", 4)).toBe(true);
    expect(await publishedIn(first, "site-1/whole")).toBe("whole");
    expect(await first.listParts()).toEqual([]);
  });

  test("a set is gone on with, and who had it changes nothing any more", async () => {
    await using shared = await open();
    const { first, second } = shared;
    const lost = await first.sets.open(id, 1);
    lost.writeFile("logs/a", bytes("a"), 0n);
    const begun = await lost.openFile("large");
    await begun.write(bytes("half"), 0);
    await begun.sync();
    await lost.sync();
    const taken = await second.sets.open(id, 2);
    expect(taken.hasFormerFolders).toBe(true);
    await taken.takeOver("logs/a", null);
    await taken.takeOver("large", 4);
    await taken.takeOver("never", null);
    await taken.sync();
    lost.writeFile("logs/late", bytes("late"), 0n);
    await begun.write(bytes("-lost"), 4);
    await lost.sync();
    await taken.dropFormerFolders();
    const large = await taken.openFile("large");
    await large.truncate(4);
    await large.write(bytes("-done"), 4);
    await large.sync();
    await large.close();
    await taken.setTime("large", 0n);
    await taken.sync();
    expect([taken.sizeOf("logs/a"), taken.sizeOf("logs/late")]).toEqual([1, null]);
    await taken.close();
    const sums = { suffix: ".md5", text: "sums" };
    expect(await second.sets.publish(id, "site-1/set", sums, 2)).toBe(true);
    expect(await publishedIn(first, "site-1/set/large")).toBe("half-done");
    expect(await publishedIn(first, "site-1/set/logs/a")).toBe("a");
    expect(await publishedIn(first, "site-1/set/logs/late")).toBeNull();
    await begun.close().catch(() => undefined);
    await lost.close();
    await first.sets.remove(id);
    expect(await second.sets.list()).toEqual([]);
  });

  test("a file of a set that was shortened is taken over without the bytes that were dropped", async () => {
    await using shared = await open();
    const { first, second } = shared;
    const lost = await first.sets.open(id, 1);
    const begun = await lost.openFile("large");
    await begun.write(bytes("half-old"), 0);
    await begun.sync();
    await begun.truncate(4);
    await begun.write(bytes("-new"), 4);
    await begun.sync();
    const taken = await second.sets.open(id, 2);
    await taken.takeOver("large", 8);
    await taken.dropFormerFolders();
    const large = await taken.openFile("large");
    expect(await textOf(large)).toBe("half-new");
    for (const file of [large, begun, taken, lost]) await file.close().catch(() => undefined);
  });

  test("a set that two servers remove at once is gone, and neither of them fails", async () => {
    await using shared = await open();
    const { first, second } = shared;
    for (let round = 0; round < 10; round++) {
      const set = Bun.randomUUIDv7();
      const path = `site-1/set-${round}`;
      const folder = await first.sets.open(set, 1);
      for (let n = 0; n < 60; n++) folder.writeFile(`${n % 6}/${n % 3}/${n}`, bytes("x"), 0n);
      await folder.sync();
      await folder.close();
      expect(await first.sets.publish(set, path, { suffix: ".md5", text: "sums" }, 1)).toBe(true);
      await Promise.all([first, second].map(({ sets }) => sets.unpublish(set, path, ".md5")));
      expect(await second.namesOf("site-1")).toEqual(new Set());
    }
  });
});

describe("a folder that servers share, whose flush fails as a name was given,", () => {
  const id = Bun.randomUUIDv7();
  const sums = { suffix: ".md5", text: "sums" };
  const failure = { code: "storage_error" };

  afterEach(() => {
    jest.restoreAllMocks();
  });

  /** Makes the next flush of the client's folder fail, after `before` has run. */
  function failFlush(before: () => Promise<unknown> = async () => undefined): void {
    const { syncFolder } = durable;
    const spy = spyOn(durable, "syncFolder").mockImplementation(async (path) => {
      if (!path.endsWith("site-1")) return syncFolder(path);
      spy.mockRestore();
      await before();
      throw Object.assign(new Error("EIO"), { code: "EIO" });
    });
  }

  test.each([true, false])("holds a set that another one published: %p", async (isTaken) => {
    await using shared = await onDisk();
    const { first, second } = shared;
    const set = await first.sets.open(id, 1);
    set.writeFile("a", bytes("a"), 0n);
    await set.sync();
    await set.close();
    const publishElsewhere = () => second.sets.publish(id, "site-1/set", sums, 2);
    failFlush(async () => isTaken && expect(await publishElsewhere()).toBe(true));
    const published = first.sets.publish(id, "site-1/set", sums, 1, async () => !isTaken);
    await expect(published).rejects.toMatchObject(failure);
    expect(await publishedIn(second, "site-1/set/a")).toBe(isTaken ? "a" : null);
    expect(await publishedIn(second, "site-1/set.md5")).toBe(isTaken ? "sums" : null);
    expect(await publishElsewhere()).toBe(true);
    expect(await publishedIn(second, "site-1/set/a")).toBe("a");
  });

  test.each([true, false])("holds a file that another one goes on with: %p", async (isTaken) => {
    await using shared = await onDisk();
    const { first, second } = shared;
    const part = await first.openPart(id, 1);
    await part.write(bytes("whole"), 0);
    await part.sync();
    await part.close();
    failFlush();
    const published = first.publish(id, "site-1/file", 1, async () => !isTaken);
    await expect(published).rejects.toMatchObject(failure);
    expect(await publishedIn(second, "site-1/file")).toBe(isTaken ? "whole" : null);
    expect(await second.publish(id, "site-1/file", 2)).toBe(true);
    expect(await publishedIn(first, "site-1/file")).toBe("whole");
    expect(await second.listParts()).toEqual([]);
  });
});

test.skipIf(lacksLoopDisks !== "")(
  `a folder is known by the same mark after a power cut${lacksLoopDisks}`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "fds-shared-"));
    const files = join(folder, "files");
    {
      await using disk = await LoopDisk.mount(files, 64 * 1024 * 1024);
      const markOfFolder = async () => {
        const storage = await openDiskStorage(files, true);
        const mark = await storage.identity();
        await storage.close();
        return mark;
      };
      const mark = await markOfFolder();
      disk.cutPower();
      await disk.restorePower();
      expect(await markOfFolder()).toBe(mark);
    }
    await rm(folder, { recursive: true });
  },
);
