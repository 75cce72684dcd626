import { describe, expect, test } from "bun:test";
import type { Part, Storage } from "../../../lib/server/storage/storage.ts";
import { Random } from "../../support/random.ts";

/** An empty storage for one test. */
export interface TemporaryStorage extends AsyncDisposable {
  storage: Storage;
}

/** Writes a whole part, and flushes it. */
export async function fillPart(
  storage: Storage,
  downloadId: string,
  bytes: Uint8Array,
): Promise<void> {
  const part = await storage.openPart(downloadId);
  await part.write(bytes, 0);
  await part.sync();
  await part.close();
}

/** Returns all bytes of a published file; null if there is no file with this path. */
export async function published(storage: Storage, savedPath: string): Promise<Uint8Array | null> {
  const file = await storage.openFile(savedPath);
  return file && file.slice(0, file.size).bytes();
}

const all = async (part: Part) => part.read(0, part.size + 1);
const text = (bytes: Uint8Array | null) => bytes && new TextDecoder().decode(bytes);
const bytes = (content: string) => new TextEncoder().encode(content);

const PATH = "site-1/20250102_030405_a.txt";

/** Tests that every {@link Storage} has to pass: parts and published files. */
export function storageContract(backend: string, open: () => Promise<TemporaryStorage>): void {
  describe(`${backend}: parts`, () => {
    test("a new part is empty, and is listed until it is removed", async () => {
      await using temporary = await open();
      const { storage } = temporary;
      const ids = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
      for (const id of ids) {
        const part = await storage.openPart(id);
        expect(part.size).toBe(0);
        await part.close();
      }
      expect(new Set(await storage.listParts())).toEqual(new Set(ids));
      await storage.removePart(ids[0]!);
      expect(await storage.listParts()).toEqual([ids[1]!]);
    });

    test("removing a part that is not there is no error", async () => {
      await using temporary = await open();
      await temporary.storage.removePart(Bun.randomUUIDv7());
    });

    test("bytes come back from where they were written, also after it was opened again", async () => {
      await using temporary = await open();
      const id = Bun.randomUUIDv7();
      const content = new Random(1).bytes(300_000);
      const part = await temporary.storage.openPart(id);
      await part.write(content.subarray(0, 100_000), 0);
      await part.write(content.subarray(100_000), 100_000);
      await part.sync();
      await part.close();
      const again = await temporary.storage.openPart(id);
      expect(again.size).toBe(300_000);
      expect(await all(again)).toEqual(content);
      expect(await again.read(99_990, 20)).toEqual(content.subarray(99_990, 100_010));
      await again.close();
    });

    test("reading gives what is there, and nothing at the end", async () => {
      await using temporary = await open();
      const part = await temporary.storage.openPart(Bun.randomUUIDv7());
      await part.write(bytes("0123456789"), 0);
      expect(text(await part.read(8, 100))).toBe("89");
      expect(text(await part.read(10, 100))).toBe("");
      expect(text(await part.read(5, 0))).toBe("");
      await part.close();
    });

    test("writing behind what was dropped replaces it, and writing nothing changes nothing", async () => {
      await using temporary = await open();
      const part = await temporary.storage.openPart(Bun.randomUUIDv7());
      await part.write(bytes("0123456789"), 0);
      await part.truncate(4);
      await part.write(bytes("ab"), 4);
      await part.write(bytes(""), 6);
      expect(text(await all(part))).toBe("0123ab");
      await part.close();
    });

    test("a checkpoint says how much is safe, and all of it once it was flushed", async () => {
      await using temporary = await open();
      const part = await temporary.storage.openPart(Bun.randomUUIDv7());
      await part.write(bytes("0123456789"), 0);
      expect(await part.checkpoint(7)).toBeWithin(0, 8);
      await part.sync();
      expect(await part.checkpoint(7)).toBe(7);
      expect(await part.checkpoint(10)).toBe(10);
      await part.close();
    });

    test("truncating drops the tail, and never makes a part longer", async () => {
      await using temporary = await open();
      const part = await temporary.storage.openPart(Bun.randomUUIDv7());
      await part.write(bytes("0123456789"), 0);
      await part.truncate(4);
      expect(text(await all(part))).toBe("0123");
      await part.truncate(9);
      expect(text(await all(part))).toBe("0123");
      await part.truncate(0);
      expect(part.size).toBe(0);
      await part.close();
    });
  });

  describe(`${backend}: publishing`, () => {
    test.each(["content", ""])("a part of %j gets its name", async (content) => {
      await using temporary = await open();
      const { storage } = temporary;
      const id = Bun.randomUUIDv7();
      await fillPart(storage, id, bytes(content));
      expect(await storage.openFile(PATH)).toBeNull();
      expect(await storage.publish(id, PATH)).toBe(true);
      expect(text(await published(storage, PATH))).toBe(content);
      expect(await storage.listParts()).toEqual([]);
    });

    test("a slice holds its bytes alone", async () => {
      await using temporary = await open();
      const id = Bun.randomUUIDv7();
      await fillPart(temporary.storage, id, bytes("0123456789"));
      await temporary.storage.publish(id, PATH);
      const file = await temporary.storage.openFile(PATH);
      expect(file?.size).toBe(10);
      expect(await file?.slice(2, 5).text()).toBe("234");
    });

    test("publishing again what is published is no error", async () => {
      await using temporary = await open();
      const id = Bun.randomUUIDv7();
      await fillPart(temporary.storage, id, bytes("content"));
      expect(await temporary.storage.publish(id, PATH)).toBe(true);
      expect(await temporary.storage.publish(id, PATH)).toBe(true);
      expect(text(await published(temporary.storage, PATH))).toBe("content");
    });

    test("a name that is taken stays as it is, and so does the part", async () => {
      await using temporary = await open();
      const { storage } = temporary;
      const [first, second] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
      await fillPart(storage, first, bytes("first"));
      await fillPart(storage, second, bytes("second"));
      expect(await storage.publish(first, PATH)).toBe(true);
      expect(await storage.publish(second, PATH)).toBe(false);
      expect(text(await published(storage, PATH))).toBe("first");
      expect(await storage.listParts()).toEqual([second]);
      const other = PATH.replace("a.txt", "a-2.txt");
      expect(await storage.publish(second, other)).toBe(true);
      expect(text(await published(storage, other))).toBe("second");
    });

    test("a part that is not there cannot be published", async () => {
      await using temporary = await open();
      const publishing = temporary.storage.publish(Bun.randomUUIDv7(), PATH);
      await expect(publishing).rejects.toMatchObject({ code: "storage_error" });
      expect(await temporary.storage.openFile(PATH)).toBeNull();
    });

    test.each([
      "",
      "a.txt",
      "site-1/",
      "/a.txt",
      "site-1/../a.txt",
      "../a.txt",
      "site-1/..",
      "site-1/.a",
      "site-1/b/../a.txt",
      "site-1/b//a.txt",
      "site-1\\a.txt",
      "site-1/b\\a.txt",
      ".server/a.txt",
      "site-1/a\0.txt",
      "site-1/CON",
      `site-1/${"a".repeat(201)}`,
    ])("%j is no path to publish to or to open", async (path) => {
      await using temporary = await open();
      const { storage } = temporary;
      const id = Bun.randomUUIDv7();
      await fillPart(storage, id, bytes("content"));
      await expect(storage.publish(id, path)).rejects.toMatchObject({ code: "storage_error" });
      await expect(storage.openFile(path)).rejects.toMatchObject({ code: "storage_error" });
      expect(await storage.listParts()).toEqual([id]);
    });

    test("a file is published beside the sets of its client, not in one", async () => {
      await using temporary = await open();
      const { storage } = temporary;
      const id = Bun.randomUUIDv7();
      await fillPart(storage, id, bytes("content"));
      const publishing = storage.publish(id, "site-1/b/a.txt");
      await expect(publishing).rejects.toMatchObject({ code: "storage_error" });
      expect(await storage.openFile("site-1/b/a.txt")).toBeNull();
    });

    test.each(["", "..", "../x", "a/b", "0198c0de-0000-7000-8000-00000000000", "lock"])(
      "%j is no id of a download",
      async (id) => {
        await using temporary = await open();
        const { storage } = temporary;
        const refused = { code: "storage_error" };
        await expect(storage.openPart(id)).rejects.toMatchObject(refused);
        await expect(storage.removePart(id)).rejects.toMatchObject(refused);
        await expect(storage.publish(id, PATH)).rejects.toMatchObject(refused);
      },
    );
  });

  describe(`${backend}: removing what is published`, () => {
    test("a file goes, others stay, and once more is no error", async () => {
      await using temporary = await open();
      const { storage } = temporary;
      for (const path of [PATH, "site-1/b", "site-2/a"]) {
        const id = Bun.randomUUIDv7();
        await fillPart(storage, id, bytes(path));
        await storage.publish(id, path);
      }
      await storage.unpublish(PATH);
      await storage.unpublish(PATH);
      await storage.unpublish("site-3/a");
      expect(await published(storage, PATH)).toBeNull();
      expect(text(await published(storage, "site-1/b"))).toBe("site-1/b");
      expect(await storage.namesOf("site-1")).toEqual(new Set(["b"]));
      expect(await storage.namesOf("site-2")).toEqual(new Set(["a"]));
      expect(await storage.namesOf("site-3")).toEqual(new Set());
    });

    test("its name can be taken again", async () => {
      await using temporary = await open();
      const { storage } = temporary;
      for (const content of ["first", "second"]) {
        const id = Bun.randomUUIDv7();
        await fillPart(storage, id, bytes(content));
        expect(await storage.publish(id, PATH)).toBe(true);
        expect(text(await published(storage, PATH))).toBe(content);
        await storage.unpublish(PATH);
      }
    });

    test.each(["../a", "site-1/..", "site-1/a/b", ".server/lock", "site-1"])(
      "%j is nothing to remove",
      async (path) => {
        await using temporary = await open();
        const refused = { code: "storage_error" };
        await expect(temporary.storage.unpublish(path)).rejects.toMatchObject(refused);
      },
    );

    test.each(["..", ".server", "", "a/b"])("%j is no client", async (clientId) => {
      await using temporary = await open();
      const refused = { code: "storage_error" };
      await expect(temporary.storage.namesOf(clientId)).rejects.toMatchObject(refused);
    });
  });

  test(`${backend}: room`, async () => {
    await using temporary = await open();
    const { free, total } = await temporary.storage.freeSpace();
    expect(total).toBeGreaterThan(0);
    expect(free).toBeGreaterThanOrEqual(0);
    expect(free).toBeLessThanOrEqual(total);
  });
}
