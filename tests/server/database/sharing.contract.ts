import { describe, expect, test } from "bun:test";
import type { Repository } from "../../../lib/server/database/repository.ts";
import type { Downloading } from "../../../lib/server/download.ts";
import type { SetFileChange } from "../../../lib/server/set.ts";
import { type Backend, openedTwice } from "./backend.ts";
import { completed, downloading, failed, id, queued } from "./samples.ts";

const NOW = 1_700_000_000_000;
const MTIME = "1700000000000000000";
const READ_AT = 1_800_000_000_000;

/** Tests that every repository has to pass: the bytes of files that several sets share on the disk. */
export function sharingContract(name: string, makeBackend: () => Promise<Backend>): void {
  describe(`${name} counts what sets share`, () => {
    let rows: Repository;

    openedTwice(makeBackend, (opened) => {
      rows = opened;
    });

    /**
     * Starts a set of files of 10 bytes. Some will be received, the others linked to files of earlier sets.
     */
    async function begin(n: number, received: string[], linked: string[]): Promise<Downloading> {
      const waiting = await rows.insertDownload({ ...queued(n), checksum: "md5" });
      const files = [...received, ...linked].map((path, index) => ({
        ...{ index, path, root: 0, size: 10, mtimeNs: MTIME, place: path, error: null },
      }));
      await rows.sets.insert(waiting, "site-1", files);
      const { epoch, revision } = waiting;
      const common = { ...downloading, checksum: "md5" as const, storedBytes: 0 };
      const started = { ...common, downloadId: id(n), epoch, revision };
      return (await rows.replaceDownload(started, waiting))!;
    }

    /** Records which files of the set were received and which ones were linked. */
    async function fill(set: Downloading, received: string[], linked: string[]): Promise<void> {
      const changes = [...received, ...linked].map((path, index): SetFileChange => {
        const known = { index, digest: `of ${path}`, readAt: READ_AT };
        return received.includes(path)
          ? { ...known, status: "received", size: 10, mtimeNs: MTIME }
          : { ...known, status: "unchanged" };
      });
      await rows.sets.update(set, changes);
    }

    /** Records that the set is completed. @param storedBytes the set's stored bytes, as counted before */
    async function complete({ downloadId, epoch, revision }: Downloading, storedBytes: number) {
      const set = { ...completed, checksum: "md5" as const, storedBytes };
      const savedPath = `site-1/${Number(downloadId.slice(-4))}`;
      await rows.replaceDownload({ ...set, downloadId, epoch, revision, savedPath });
    }

    async function putSet(n: number, received: string[], linked: string[]): Promise<void> {
      const set = await begin(n, received, linked);
      await fill(set, received, linked);
      await complete(set, await rows.sets.storedBytes(id(n), true));
    }

    const used = () => rows.keep.usedBytes("site-1");
    const remove = async (n: number) => {
      await rows.keep.markRemoved(id(n), NOW);
      // The function is called twice, as when a crash interrupts the removal after its first step.
      await rows.sets.handOver(id(n));
      await rows.sets.handOver(id(n));
      await rows.keep.bytesGone(id(n));
      return used();
    };

    test("counts once, for as long as one of them is there", async () => {
      await putSet(1, ["a", "b", "c"], []);
      await putSet(2, ["d"], ["a", "b"]);
      await putSet(3, [], ["a", "d"]);
      expect(await rows.keep.usedBytes("site-1")).toBe(40);
      expect(await rows.sets.storedBytes(id(2), false)).toBe(30);
      // File c is gone. Files a and b now count for the second set.
      expect(await remove(1)).toBe(30);
      // File b is gone. Files a and d now count for the third set.
      expect(await remove(2)).toBe(20);
      expect(await remove(3)).toBe(0);
    });

    test("stays with the oldest one, in whichever order they go", async () => {
      await putSet(1, ["a", "b"], []);
      await putSet(2, [], ["a", "b"]);
      await putSet(3, [], ["a"]);
      expect(await remove(2)).toBe(20);
      expect(await remove(1)).toBe(10);
      expect(await remove(3)).toBe(0);
    });

    test("is found again only where it is still stored", async () => {
      await putSet(1, ["a"], []);
      const attempt = await rows.insertDownload(queued(9));
      const wanted = { index: 0, path: "a", root: 0, size: 10, mtimeNs: MTIME };
      const file = { ...wanted, place: "a", error: null };
      await rows.sets.insert(attempt, "site-1", [file]);
      const twins = async () =>
        (await rows.sets.twins("site-1", "md5", await rows.sets.list(id(9), { limit: 9 }))).map(
          ({ savedPath }) => savedPath,
        );
      expect(await twins()).toEqual(["site-1/1/a"]);
      await rows.keep.markRemoved(id(1), NOW);
      expect(await twins()).toEqual([]);
      await putSet(2, [], ["a"]);
      expect(await twins()).toEqual(["site-1/2/a"]);
    });

    test("counts for a set that is published meanwhile", async () => {
      await putSet(1, ["a"], []);
      const second = await begin(2, ["b"], ["a"]);
      await fill(second, ["b"], ["a"]);
      const counted = await rows.sets.storedBytes(id(2), true);
      expect(await remove(1)).toBe(0);
      await complete(second, counted);
      await rows.sets.countAgain(id(2));
      expect(await used()).toBe(20);
      expect(await remove(2)).toBe(0);
    });

    test("counts for a set that is complete rather than for one that may fail", async () => {
      await putSet(1, ["a"], []);
      const second = await begin(2, [], ["a"]);
      await fill(second, [], ["a"]);
      await putSet(3, [], ["a"]);
      expect(await remove(1)).toBe(10);
      const { epoch, revision } = second;
      await rows.replaceDownload({ ...failed, downloadId: id(2), epoch, revision }, second);
      expect(await used()).toBe(10);
      expect(await remove(3)).toBe(0);
    });

    test("counts for an older set that was under way for longer", async () => {
      const first = await begin(1, [], ["a"]);
      await putSet(2, ["a"], []);
      await fill(first, [], ["a"]);
      await complete(first, await rows.sets.storedBytes(id(1), true));
      expect(await used()).toBe(10);
      expect(await remove(2)).toBe(10);
      expect(await remove(1)).toBe(0);
    });

    test.each([
      ["before", true],
      ["after", false],
    ])(
      "counts where a link is written down %s the other set is handed over",
      async (_, isBefore) => {
        await putSet(1, ["a", "b"], []);
        await putSet(2, [], ["b"]);
        const third = await begin(3, [], ["a", "b"]);
        await rows.keep.markRemoved(id(1), NOW);
        if (isBefore) await fill(third, [], ["a", "b"]);
        await remove(1);
        if (!isBefore) await fill(third, [], ["a", "b"]);
        await complete(third, await rows.sets.storedBytes(id(3), true));
        // File a counts for the third set, and file b for the second one.
        expect(await used()).toBe(20);
        expect(await remove(2)).toBe(20);
        expect(await remove(3)).toBe(0);
      },
    );
  });
}
