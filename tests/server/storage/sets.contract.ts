import { describe, expect, test } from "bun:test";
import type { SetFolder } from "../../../lib/server/storage/storage.ts";
import type { Storage } from "../../../lib/server/storage/storage.ts";
import { published, type TemporaryStorage } from "./storage.contract.ts";

const SUMS = { suffix: ".md5", text: "0123  set/a.txt\n" };
const TIME = 1_700_000_000_123_456_000n;
const bytes = (content: string) => new TextEncoder().encode(content);
const text = async (storage: Storage, path: string) => {
  const found = await published(storage, path);
  return found && new TextDecoder().decode(found);
};

/** Makes a set of small files, and flushes it. */
async function fillSet(storage: Storage, id: string, files: Record<string, string>): Promise<void> {
  const folder = await storage.sets.open(id);
  for (const [path, content] of Object.entries(files)) folder.writeFile(path, bytes(content), TIME);
  await folder.sync();
  await folder.close();
}

/** Tests that every storage backend has to pass: sets. */
export function setsContract(backend: string, open: () => Promise<TemporaryStorage>): void {
  /** Fills a set by `work`, publishes it, and expects the files that `work` returned. */
  const withFolder = async (
    work: (folder: SetFolder, storage: Storage) => Promise<Record<string, string>>,
  ) => {
    await using temporary = await open();
    const { storage } = temporary;
    const id = Bun.randomUUIDv7();
    const folder = await storage.sets.open(id);
    const files = Object.entries(await work(folder, storage).finally(() => folder.close()));
    if (files.length === 0) return;
    expect(await storage.sets.publish(id, "site-1/check", SUMS)).toBe(true);
    for (const [path, content] of files) {
      expect(await text(storage, `site-1/check/${path}`)).toBe(content);
    }
  };

  describe(`${backend}: a set under way`, () => {
    test("keeps files at their paths, and takes another one in the place of the first", () =>
      withFolder(async (folder) => {
        folder.writeFile("a.txt", bytes("first"), TIME);
        folder.writeFile("deep/er/b.txt", bytes(""), TIME);
        folder.writeFile("a.txt", bytes("2nd"), TIME);
        await folder.sync();
        expect(folder.sizeOf("a.txt")).toBe(3);
        expect(folder.sizeOf("deep/er/b.txt")).toBe(0);
        expect(folder.sizeOf("deep/c.txt")).toBeNull();
        return { "a.txt": "2nd", "deep/er/b.txt": "" };
      }));

    test("has its bytes for itself: who gave them uses the memory again", () =>
      withFolder(async (folder) => {
        const given = Buffer.from("small");
        folder.writeFile("a", given, TIME);
        given.fill("x");
        const part = await folder.openFile("b");
        const piece = Buffer.from("large");
        await part.write(piece, 0);
        piece.fill("x");
        await folder.sync();
        await part.close();
        await folder.setTime("b", TIME);
        return { a: "small", b: "large" };
      }));

    test("keeps large files piece by piece, and goes on with them later", () =>
      withFolder(async (folder) => {
        const first = await folder.openFile("x/large.bin");
        await first.write(bytes("hello "), 0);
        await folder.sync();
        await first.close();
        const again = await folder.openFile("x/large.bin");
        expect(again.size).toBe(6);
        await again.write(bytes("world"), 6);
        await again.close();
        await folder.setTime("x/large.bin", TIME);
        await folder.sync();
        expect(folder.sizeOf("x/large.bin")).toBe(11);
        return { "x/large.bin": "hello world" };
      }));

    test("removes what is not to be published", () =>
      withFolder(async (folder) => {
        for (const path of ["a", "b", "kept"]) folder.writeFile(path, bytes(path), TIME);
        await folder.removeFile("a");
        await folder.removeFile("a");
        await folder.sync();
        await folder.removeFile("b");
        for (const path of ["x/whole", "x/half"]) {
          const part = await folder.openFile(path);
          await part.write(bytes("large"), 0);
          await folder.sync();
          await part.close();
          if (path === "x/whole") await folder.setTime(path, TIME);
          await folder.removeFile(path);
        }
        await folder.sync();
        expect(["a", "b", "x/whole"].map((path) => folder.sizeOf(path))).toEqual([
          null,
          null,
          null,
        ]);
        return { kept: "kept" };
      }));

    test("is emptied of all that an attempt left there", () =>
      withFolder(async (folder) => {
        for (const path of ["a", "b/c"]) folder.writeFile(path, bytes(path), TIME);
        const part = await folder.openFile("large");
        await part.write(bytes("large"), 0);
        await folder.sync();
        await part.close();
        await folder.empty();
        expect(["a", "b/c"].map((path) => folder.sizeOf(path))).toEqual([null, null]);
        // The name of a file may be that of a folder now, and the other way round.
        for (const path of ["a/x", "b"]) folder.writeFile(path, bytes(path), TIME);
        await folder.sync();
        return { "a/x": "a/x", b: "b" };
      }));

    test("writes no byte into a published file that it has a link to", () =>
      withFolder(async (folder, storage) => {
        const id = Bun.randomUUIDv7();
        await fillSet(storage, id, { small: "same", large: "same" });
        expect(await storage.sets.publish(id, "site-1/one", SUMS)).toBe(true);
        for (const path of ["small", "large"]) {
          expect(await folder.linkFile(path, `site-1/one/${path}`, 4)).toBe(true);
        }
        folder.writeFile("small", bytes("other"), TIME);
        const part = await folder.openFile("large");
        await part.truncate(0);
        await part.write(bytes("other"), 0);
        await part.close();
        await folder.setTime("large", TIME);
        await folder.sync();
        for (const path of ["small", "large"]) {
          expect(await text(storage, `site-1/one/${path}`)).toBe("same");
        }
        return { small: "other", large: "other" };
      }));

    test("links what was published before, if it is still as it was", () =>
      withFolder(async (folder, storage) => {
        const id = Bun.randomUUIDv7();
        await fillSet(storage, id, { "a.txt": "same" });
        expect(await storage.sets.publish(id, "site-1/one", SUMS)).toBe(true);
        expect(await folder.linkFile("b/a.txt", "site-1/one/a.txt", 4)).toBe(true);
        expect(await folder.linkFile("b/a.txt", "site-1/one/a.txt", 4)).toBe(true);
        expect(folder.sizeOf("b/a.txt")).toBe(4);
        expect(await folder.linkFile("c", "site-1/one/a.txt", 5)).toBe(false);
        expect(await folder.linkFile("c", "site-1/one/gone.txt", 4)).toBe(false);
        expect(await folder.linkFile("c", "site-2/one/a.txt", 4)).toBe(false);
        expect(folder.sizeOf("c")).toBeNull();
        return { "b/a.txt": "same" };
      }));

    test.each(["../a", "a/../b", "/a", "a//b", ".a", "", "a/", "a\\b", "CON", "a\nb"])(
      "has no file at %j",
      (path) =>
        withFolder(async (folder) => {
          const refused = expect.objectContaining({ code: "storage_error" });
          expect(() => folder.writeFile(path, bytes("x"), TIME)).toThrow(refused);
          expect(folder.openFile(path)).rejects.toEqual(refused);
          expect(folder.removeFile(path)).rejects.toEqual(refused);
          return {};
        }),
    );

    test("is listed until it is removed", async () => {
      await using temporary = await open();
      const { sets } = temporary.storage;
      const ids = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
      for (const id of ids) await fillSet(temporary.storage, id, { a: "1", "b/c": "2" });
      expect(new Set(await sets.list())).toEqual(new Set(ids));
      await sets.remove(ids[0]!);
      await sets.remove(Bun.randomUUIDv7());
      expect(await sets.list()).toEqual([ids[1]!]);
      expect(await temporary.storage.listParts()).toEqual([]);
    });
  });

  describe(`${backend}: publishing a set`, () => {
    test("gives the folder and its checksums their names, and leaves nothing behind", async () => {
      await using temporary = await open();
      const { storage } = temporary;
      const id = Bun.randomUUIDv7();
      await fillSet(storage, id, { "a.txt": "A", "x/b.txt": "B" });
      expect(await storage.sets.publish(id, "site-1/set", SUMS)).toBe(true);
      expect(await text(storage, "site-1/set/a.txt")).toBe("A");
      expect(await text(storage, "site-1/set/x/b.txt")).toBe("B");
      expect(await text(storage, "site-1/set.md5")).toBe(SUMS.text);
      expect(await storage.sets.list()).toEqual([]);
    });

    test("again changes nothing", async () => {
      await using temporary = await open();
      const { storage } = temporary;
      const id = Bun.randomUUIDv7();
      await fillSet(storage, id, { "a.txt": "A" });
      expect(await storage.sets.publish(id, "site-1/set", SUMS)).toBe(true);
      expect(await storage.sets.publish(id, "site-1/set", SUMS)).toBe(true);
      expect(await text(storage, "site-1/set/a.txt")).toBe("A");
      expect(await text(storage, "site-1/set.md5")).toBe(SUMS.text);
    });

    test.each(["site-1/set", "site-1/set.md5"])(
      "replaces nothing: not a file called %s",
      async (taken) => {
        await using temporary = await open();
        const { storage } = temporary;
        const [file, id] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
        const part = await storage.openPart(file);
        await part.write(bytes("mine"), 0);
        await part.sync();
        await part.close();
        await storage.publish(file, taken);
        await fillSet(storage, id, { "a.txt": "A" });
        expect(await storage.sets.publish(id, "site-1/set", SUMS)).toBe(false);
        expect(await text(storage, taken)).toBe("mine");
        expect(await storage.sets.list()).toEqual([id]);
        expect(await storage.sets.publish(id, "site-1/set-2", SUMS)).toBe(true);
        expect(await text(storage, "site-1/set-2/a.txt")).toBe("A");
      },
    );

    test("replaces no other set", async () => {
      await using temporary = await open();
      const { storage } = temporary;
      const [first, second] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
      await fillSet(storage, first, { "a.txt": "1" });
      await fillSet(storage, second, { "a.txt": "2" });
      expect(await storage.sets.publish(first, "site-1/set", SUMS)).toBe(true);
      expect(await storage.sets.publish(second, "site-1/set", SUMS)).toBe(false);
      expect(await text(storage, "site-1/set/a.txt")).toBe("1");
    });
  });

  describe(`${backend}: removing a set`, () => {
    test("takes its files and its checksums, and leaves what another set shares", async () => {
      await using temporary = await open();
      const { storage } = temporary;
      const [first, second] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
      await fillSet(storage, first, { "a.txt": "same", "x/b.txt": "B" });
      expect(await storage.sets.publish(first, "site-1/one", SUMS)).toBe(true);
      const folder = await storage.sets.open(second);
      expect(await folder.linkFile("a.txt", "site-1/one/a.txt", 4)).toBe(true);
      await folder.sync();
      await folder.close();
      expect(await storage.sets.publish(second, "site-1/two", SUMS)).toBe(true);
      await storage.sets.unpublish(first, "site-1/one", ".md5");
      expect(await text(storage, "site-1/one/a.txt")).toBeNull();
      expect(await text(storage, "site-1/one/x/b.txt")).toBeNull();
      expect(await text(storage, "site-1/two/a.txt")).toBe("same");
      expect(await storage.namesOf("site-1")).toEqual(new Set(["two", "two.md5"]));
      await storage.sets.unpublish(first, "site-1/one", ".md5");
      await storage.sets.unpublish(first, "site-9/one", ".md5");
      expect(await storage.namesOf("site-1")).toEqual(new Set(["two", "two.md5"]));
      expect(await storage.sets.list()).toEqual([]);
    });

    test("takes no set whose name begins alike", async () => {
      await using temporary = await open();
      const { storage } = temporary;
      const [first, second] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
      await fillSet(storage, first, { "a.txt": "1" });
      await fillSet(storage, second, { "a.txt": "2" });
      await storage.sets.publish(first, "site-1/set", SUMS);
      await storage.sets.publish(second, "site-1/set-2", SUMS);
      await storage.sets.unpublish(first, "site-1/set", ".md5");
      expect(await text(storage, "site-1/set-2/a.txt")).toBe("2");
      expect(await text(storage, "site-1/set-2.md5")).toBe(SUMS.text);
    });

    test.each(["../x", "site-1/a/b", "site-1", ".server/parts"])("%j is no set", async (path) => {
      await using temporary = await open();
      const removing = temporary.storage.sets.unpublish(Bun.randomUUIDv7(), path, ".md5");
      await expect(removing).rejects.toMatchObject({ code: "storage_error" });
    });
  });
}
