import { describe, expect, test } from "bun:test";
import type { Repository } from "../../../lib/server/database/repository.ts";
import type { Completed, Download } from "../../../lib/server/download.ts";
import { DAY_MS, type Keep } from "../../../lib/server/keep.ts";
import { Random } from "../../support/random.ts";
import { JOB, jobFields } from "./job-sample.ts";
import { type Backend, openedTwice } from "./backend.ts";
import { completed, failed, id, queued } from "./samples.ts";

const NOW = 1_700_000_000_000;

/** Tests that every repository has to pass: retention, holds and quotas. */
export function keepContract(name: string, makeBackend: () => Promise<Backend>): void {
  describe(`${name} keeps what came`, () => {
    let rows: Repository;
    let others: Repository;

    openedTwice(makeBackend, (...opened) => {
      [rows, others] = opened;
    });

    /** Inserts a completed download. */
    async function put(n: number, fields: Partial<Completed> = {}): Promise<Completed> {
      const clientId = fields.clientId ?? "site-1";
      const jobId = fields.jobId ?? null;
      const waiting = await rows.insertDownload({ ...queued(n), clientId, jobId });
      const savedPath = `${clientId}/${n}`;
      const common = { ...completed, downloadId: id(n), completedAt: NOW + n, storedBytes: 10 };
      const next = { ...common, savedPath, ...fields, revision: waiting.revision };
      const written = await rows.replaceDownload(next, waiting);
      if (!written) throw new Error("the row was changed by another");
      return written;
    }

    /** Makes a job with this retention rule. @returns its id */
    async function job(keep: Keep | null, n = JOB): Promise<string> {
      await rows.jobs.draft({ ...jobFields, jobId: n, keep });
      await rows.jobs.publish(n);
      return n;
    }

    const removed = async (n: number) => ((await rows.getDownload(id(n))) as Completed).removedAt;
    const due = (now: number, keepMs: number | null = null) => rows.keep.due(now, keepMs, 100);
    const rank = async () => {
      while ((await rows.keep.rank(1)) > 0);
    };

    describe("a hold", () => {
      test("is set and lifted in any status, and is a change that readers of events see", async () => {
        await rows.insertDownload(queued(1));
        const before = await rows.latestRevision();
        expect(await rows.keep.setHold(id(1), true)).toMatchObject({ isHeld: true });
        expect((await rows.changedSince(before, 9)).map(({ isHeld }) => isHeld)).toEqual([true]);
        const after = await rows.latestRevision();
        expect(await rows.keep.setHold(id(1), true)).toMatchObject({ isHeld: true });
        expect(await rows.latestRevision()).toBe(after);
        expect(await rows.keep.setHold(id(1), false)).toMatchObject({ isHeld: false });
        expect(await rows.keep.setHold(id(2), true)).toBeNull();
      });

      test("outlives the download's other changes", async () => {
        const waiting = await rows.insertDownload(queued(1));
        const held = (await rows.keep.setHold(id(1), true)) as Download;
        expect(
          await rows.replaceDownload({ ...failed, ...waiting } as Download, waiting),
        ).toBeNull();
        const next = { ...completed, isHeld: true, revision: held.revision };
        expect(await rows.replaceDownload(next, held)).toMatchObject({ isHeld: true });
      });
    });

    describe("a mark that it is removed", () => {
      test("is made once, by one of many", async () => {
        await put(1);
        const before = await rows.latestRevision();
        const marking = [rows, others, rows, others].map((each) =>
          each.keep.markRemoved(id(1), NOW),
        );
        const marked = (await Promise.all(marking)).filter((one) => one !== null);
        expect(marked).toHaveLength(1);
        expect(marked[0]).toMatchObject({ removedAt: NOW, savedPath: "site-1/1" });
        expect(await rows.changedSince(before, 9)).toEqual(marked);
        expect(await others.keep.markRemoved(id(1), NOW + 1)).toBeNull();
        expect(await removed(1)).toBe(NOW);
      });

      test("no hold allows, whoever comes first", async () => {
        const random = new Random(5);
        for (let n = 1; n <= 20; n++) {
          await put(n);
          const work = [
            () => rows.keep.setHold(id(n), true),
            () => others.keep.markRemoved(id(n), NOW),
          ];
          if (random.int(0, 1)) work.reverse();
          await Promise.all(work.map((each) => each()));
          const found = (await rows.getDownload(id(n))) as Completed;
          expect(await others.keep.markRemoved(id(n), NOW)).toBeNull();
          // Whichever change won, the hold is set, and nothing can be removed afterwards.
          expect(found.isHeld).toBe(true);
        }
        await put(30, { isHeld: true });
        expect(await rows.keep.markRemoved(id(30), NOW)).toBeNull();
        expect(await removed(30)).toBeNull();
      });

      test("needs something that came", async () => {
        await rows.insertDownload(queued(1));
        expect(await rows.keep.markRemoved(id(1), NOW)).toBeNull();
        expect(await rows.keep.markRemoved(id(2), NOW)).toBeNull();
        expect(await rows.getDownload(id(1))).toMatchObject({ status: "queued" });
      });

      test("is found until the bytes are gone", async () => {
        for (const n of [1, 2, 3]) await put(n);
        for (const n of [1, 2]) await rows.keep.markRemoved(id(n), NOW);
        const found = async (after = "") =>
          (await rows.keep.removing(after, 10)).map(({ downloadId }) => downloadId);
        expect(await found()).toEqual([id(1), id(2)]);
        expect(await found(id(1))).toEqual([id(2)]);
        expect(await rows.keep.bytesGone(id(1))).toBe(true);
        expect(await others.keep.bytesGone(id(1))).toBe(false);
        expect(await rows.keep.bytesGone(id(3))).toBe(false);
        expect(await found()).toEqual([id(2)]);
      });

      test("is made of what is held too, where its bytes are missing", async () => {
        await put(1, { isHeld: true });
        await put(2);
        for (const n of [1, 2]) expect(await rows.keep.markMissing(id(n), NOW)).not.toBeNull();
        expect(await rows.keep.removing("", 9)).toEqual([]);
      });
    });

    describe("what a rule keeps:", () => {
      test("nothing is due where nobody said how long", async () => {
        await put(1, { completedAt: 1 });
        await put(2, { completedAt: 1, jobId: await job(null) });
        expect(await due(NOW * 2)).toEqual([]);
        expect(await rows.keep.nextDueAt(null)).toBeNull();
        expect(await rows.keep.markDue(id(1), NOW * 2, null)).toBeNull();
      });

      test("KEEP_DAYS is for what has no rule of its own", async () => {
        const jobId = await job({ days: 50, last: null });
        await put(1, { completedAt: NOW });
        await put(2, { completedAt: NOW + 1 });
        await put(3, { completedAt: NOW, isHeld: true });
        await put(4, { completedAt: NOW, jobId });
        expect(await rows.keep.nextDueAt(DAY_MS)).toBe(NOW + DAY_MS);
        expect(await due(NOW + DAY_MS - 1, DAY_MS)).toEqual([]);
        expect(await due(NOW + DAY_MS, DAY_MS)).toEqual([id(1)]);
        expect(await rows.keep.markDue(id(1), NOW + DAY_MS - 1, DAY_MS)).toBeNull();
        for (const n of [2, 3, 4]) {
          expect(await rows.keep.markDue(id(n), NOW + DAY_MS, DAY_MS)).toBeNull();
        }
        expect(await rows.keep.markDue(id(1), NOW + DAY_MS, DAY_MS)).not.toBeNull();
        expect(await rows.keep.nextDueAt(DAY_MS)).toBe(NOW + 1 + DAY_MS);
      });

      test("days of a job count from when each download was completed", async () => {
        const jobId = await job({ days: 2, last: null });
        await put(1, { jobId, completedAt: NOW });
        await put(2, { jobId, clientId: "site-2", completedAt: NOW + 5 });
        expect(await rows.keep.nextDueAt(null)).toBe(NOW + 2 * DAY_MS);
        expect(await due(NOW + 2 * DAY_MS)).toEqual([id(1)]);
        expect(await due(NOW + 2 * DAY_MS + 5)).toEqual([id(1), id(2)]);
        await rows.keep.setHold(id(1), true);
        expect(await due(NOW + 2 * DAY_MS + 5)).toEqual([id(2)]);
        expect(await rows.keep.markDue(id(1), NOW * 2, null)).toBeNull();
        await rows.keep.setHold(id(1), false);
        expect(await rows.keep.markDue(id(1), NOW * 2, null)).not.toBeNull();
      });

      test("the last ones of each client are kept, the others go at once", async () => {
        const jobId = await job({ days: null, last: 2 });
        for (let n = 1; n <= 4; n++) {
          const retriedAs = await rows.getDownload(id(n - 1));
          // A job has one newest download for each client, so an earlier one has to name its replacement.
          if (retriedAs) await retire(n - 1);
          await put(n, { jobId });
          await rank();
          expect(await due(NOW * 2)).toEqual(n > 2 ? [id(n - 2)] : []);
          if (n > 2) expect(await rows.keep.markDue(id(n - 2), NOW * 2, null)).not.toBeNull();
        }
        await put(9, { jobId, clientId: "site-2" });
        await rank();
        expect(await due(NOW * 2)).toEqual([]);
      });

      test("kept while either says so: the last one, or for some days", async () => {
        const jobId = await job({ days: 1, last: 1 });
        await put(1, { jobId, completedAt: NOW });
        await rank();
        expect(await rows.keep.nextDueAt(null)).toBeNull();
        await retire(1);
        await put(2, { jobId, completedAt: NOW + 10 });
        expect(await due(NOW * 2)).toEqual([]);
        await rank();
        expect(await rows.keep.nextDueAt(null)).toBe(NOW + DAY_MS);
        expect(await due(NOW + DAY_MS - 1)).toEqual([]);
        expect(await due(NOW + DAY_MS)).toEqual([id(1)]);
      });

      test("it is one of the last ones again, where those after it were removed", async () => {
        const jobId = await job({ days: null, last: 1 });
        await put(1, { jobId });
        await retire(1);
        await put(2, { jobId });
        await rank();
        expect(await due(NOW * 2)).toEqual([id(1)]);
        await rows.keep.markRemoved(id(2), NOW);
        expect(await rows.keep.markDue(id(1), NOW * 2, null)).toBeNull();
        expect(await due(NOW * 2)).toEqual([]);
        await retire(2);
        await put(3, { jobId });
        await rank();
        expect(await due(NOW * 2)).toEqual([id(1)]);
      });
    });

    /**
     * Moves a download to another job, so that its client can have a newer one in the first job. The download
     * keeps its retention rule.
     */
    async function retire(n: number): Promise<void> {
      const before = (await rows.getDownload(id(n))) as Completed;
      const jobId = Bun.randomUUIDv7();
      await rows.replaceDownload({ ...before, jobId }, before);
    }

    describe("quotas count", () => {
      test("what is stored, of a client and of all, from the row's own change on", async () => {
        const used = async () => [
          await rows.keep.usedBytes(),
          await rows.keep.usedBytes("site-1"),
          await rows.keep.usedBytes("site-3"),
        ];
        expect(await used()).toEqual([0, 0, 0]);
        await put(1);
        await put(2, { storedBytes: 32 });
        await put(3, { clientId: "site-2", storedBytes: 100 });
        await rows.insertDownload(queued(4));
        expect(await used()).toEqual([142, 42, 0]);
        expect(await rows.keep.clientsStored()).toEqual(["site-1", "site-2"]);
        await rows.keep.markRemoved(id(2), NOW);
        expect(await used()).toEqual([110, 10, 0]);
        await rows.keep.bytesGone(id(2));
        await rows.keep.markMissing(id(1), NOW);
        expect(await used()).toEqual([100, 0, 0]);
        expect(await rows.keep.clientsStored()).toEqual(["site-2"]);
      });

      test("what is stored is listed, as it was at a change", async () => {
        for (const n of [1, 2, 3]) await put(n);
        await put(4, { clientId: "site-2" });
        await rows.keep.markRemoved(id(2), NOW);
        const revision = await rows.latestRevision();
        await put(5);
        const found = await rows.keep.stored("site-1", revision, "", 10);
        expect(found.map(({ downloadId, savedPath }) => [downloadId, savedPath])).toEqual([
          [id(1), "site-1/1"],
          [id(3), "site-1/3"],
        ]);
        expect(await rows.keep.stored("site-1", revision, id(1), 1)).toHaveLength(1);
      });
    });
  });
}
