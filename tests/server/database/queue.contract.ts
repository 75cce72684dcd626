import { beforeEach, describe, expect, test } from "bun:test";
import type { Limits, Repository } from "../../../lib/server/database/repository.ts";
import { LONGEST_WAIT_MS } from "../../../lib/server/transition.ts";
import { completed, downloading, id, queued, source, verifying } from "./samples.ts";
import { type Backend, openedTwice, putDownload } from "./backend.ts";

const NO_LIMITS: Limits = { total: 1_000, perClient: 1_000 };

/** Tests that every {@link Repository} has to pass: downloads that wait in the queue. */
export function queueContract(name: string, makeBackend: () => Promise<Backend>): void {
  describe(`${name} as a queue`, () => {
    let backend: Backend;
    /** Two repositories on the same database, as two programs have them. */
    let rows: Repository;
    let others: Repository;

    openedTwice(makeBackend, (one, other, database) => {
      [rows, others, backend] = [one, other, database];
    });

    async function claimedIds(clientId: string, limits: Limits, now: number): Promise<string[]> {
      const claimed = await rows.claimDownload(clientId, null, limits, now);
      return claimed ? [claimed.downloadId, ...(await claimedIds(clientId, limits, now))] : [];
    }

    describe("claimDownload", () => {
      test("takes the oldest first, whatever the order they came in", async () => {
        for (const n of [5, 2, 9, 1]) await rows.insertDownload(queued(n));
        expect(await claimedIds("site-1", NO_LIMITS, 1_000)).toEqual([1, 2, 5, 9].map(id));
      });

      test("makes it the next attempt and drops what only a queued one has", async () => {
        const problem = { code: "storage_full", message: "no room" } as const;
        const waited = await putDownload(
          rows,
          queued(1, { attempts: 4, epoch: 6, source, durableOffset: 5, problem }),
        );
        const { notBefore: _, problem: __, ...rest } = waited;
        const claimed = await rows.claimDownload("site-1", null, NO_LIMITS, 7_000);
        expect(claimed).toStrictEqual({
          ...rest,
          status: "downloading",
          startedAt: 7_000,
          attempts: 5,
          epoch: 7,
          revision: waited.revision + 1,
        });
        expect(await rows.getDownload(id(1))).toStrictEqual(claimed);
      });

      test("keeps the time of the first start", async () => {
        await putDownload(rows, queued(1, { startedAt: 500 }));
        const claimed = await rows.claimDownload("site-1", null, NO_LIMITS, 7_000);
        expect(claimed?.startedAt).toBe(500);
      });

      test("leaves what is not due, and takes a younger one that is", async () => {
        await rows.insertDownload(queued(1, { notBefore: 5_000 }));
        await rows.insertDownload(queued(2, { notBefore: 3_000 }));
        expect(await claimedIds("site-1", NO_LIMITS, 2_999)).toEqual([]);
        expect(await claimedIds("site-1", NO_LIMITS, 3_000)).toEqual([id(2)]);
        expect(await claimedIds("site-1", NO_LIMITS, 5_000)).toEqual([id(1)]);
      });

      test("takes one whose time lies behind a clock that was put back", async () => {
        await rows.insertDownload(queued(1, { notBefore: 10_000_000 }));
        const soon = 10_000_000 - LONGEST_WAIT_MS;
        expect(await claimedIds("site-1", NO_LIMITS, soon)).toEqual([]);
        const mine = [{ clientId: "site-1", line: null }];
        expect(await rows.waitingFor("site-1", soon)).toEqual([]);
        expect(await rows.waitingFor("site-1", soon - 1)).toEqual(mine);
        expect(await claimedIds("site-1", NO_LIMITS, soon - 1)).toEqual([id(1)]);
      });

      test("leaves other clients' downloads", async () => {
        const before = await rows.insertDownload(queued(1, { clientId: "site-2" }));
        expect(await rows.claimDownload("site-1", null, NO_LIMITS, 1_000)).toBeNull();
        expect(await rows.getDownload(id(1))).toStrictEqual(before);
      });

      test("keeps the limit of a client, to which one that is verifying counts", async () => {
        await putDownload(rows, { ...verifying, downloadId: id(1) });
        for (const n of [2, 3, 4]) await rows.insertDownload(queued(n));
        const limits = { total: 100, perClient: 3 };
        expect(await claimedIds("site-1", limits, 1_000)).toEqual([id(2), id(3)]);
        await rows.insertDownload(queued(5, { clientId: "site-2" }));
        expect(await claimedIds("site-2", limits, 1_000)).toEqual([id(5)]);
      });

      test("keeps the limit over all clients, to which one that ended does not count", async () => {
        await putDownload(rows, { ...downloading, downloadId: id(1), clientId: "site-2" });
        await putDownload(rows, { ...completed, downloadId: id(2), clientId: "site-2" });
        for (const n of [3, 4, 5]) await rows.insertDownload(queued(n));
        const limits = { total: 3, perClient: 100 };
        expect(await claimedIds("site-1", limits, 1_000)).toEqual([id(3), id(4)]);
      });

      test("gives each of two concurrent claims a row of its own", async () => {
        for (const n of [1, 2]) await rows.insertDownload(queued(n));
        const claims = [rows, others].map((r) => r.claimDownload("site-1", null, NO_LIMITS, 1_000));
        const ids = (await Promise.all(claims)).map((claimed) => claimed?.downloadId);
        expect(ids.toSorted()).toEqual([id(1), id(2)]);
      });

      test("keeps the limit of a client, whoever claims at the same time", async () => {
        const more = await backend.open();
        for (let n = 1; n <= 10; n++) await rows.insertDownload(queued(n));
        const limits = { total: 100, perClient: 2 };
        const claims = Array.from({ length: 8 }, (_, n) =>
          [rows, others, more][n % 3]!.claimDownload("site-1", null, limits, 1_000),
        );
        const won = (await Promise.all(claims)).filter((claimed) => claimed !== null);
        expect(won.map(({ downloadId }) => downloadId).toSorted()).toEqual([1, 2].map(id));
        await more.close();
      });

      test("gives one row to one of many concurrent claims", async () => {
        await rows.insertDownload(queued(1));
        const claims = Array.from({ length: 10 }, (_, n) =>
          (n % 2 ? rows : others).claimDownload("site-1", null, NO_LIMITS, 1_000),
        );
        const won = (await Promise.all(claims)).filter((claimed) => claimed !== null);
        expect(won).toHaveLength(1);
        expect(won[0]?.epoch).toBe(1);
      });
    });

    describe("what is due", () => {
      beforeEach(async () => {
        await rows.insertDownload(queued(1, { clientId: "site-3", notBefore: 2_000 }));
        await rows.insertDownload(queued(2, { clientId: "site-1", notBefore: 3_000 }));
        await rows.insertDownload(queued(3, { clientId: "site-2", notBefore: 1_000 }));
        await rows.insertDownload(queued(4, { clientId: "site-1", notBefore: 4_000 }));
        await putDownload(rows, { ...downloading, downloadId: id(5), clientId: "site-4" });
      });

      test("is found for a client, once for each line", async () => {
        await rows.insertDownload(queued(6, { clientId: "site-1", notBefore: 500, jobId: id(90) }));
        await rows.insertDownload(queued(7, { clientId: "site-1", notBefore: 600, jobId: null }));
        const mine = (line: string | null) => ({ clientId: "site-1", line });
        expect(await rows.waitingFor("site-1", 499)).toEqual([]);
        expect(await rows.waitingFor("site-1", 550)).toEqual([mine(id(90))]);
        const both = await rows.waitingFor("site-1", 9_000);
        expect(both).toHaveLength(2);
        expect(both).toEqual(expect.arrayContaining([mine(id(90)), mine(null)]));
        expect(await rows.waitingFor("site-4", 9_000)).toEqual([]);
      });

      test.each([
        [0, 999, []],
        [0, 1_000, ["site-2"]],
        [1_000, 2_999, ["site-3"]],
        [2_000, 9_000, ["site-1"]],
        [9_000, 9_000, []],
        // The clock was set back so far that every waiting download counts as due.
        [0, 999 - LONGEST_WAIT_MS, ["site-1", "site-2", "site-3"]],
      ])("between %d and %d it becomes that of these clients", async (after, now, clients) => {
        const found = await rows.dueSince(after, now);
        expect(found.toSorted((a, b) => a.clientId.localeCompare(b.clientId))).toEqual(
          clients.map((clientId) => ({ clientId, line: null })),
        );
      });

      test("is counted while it runs, by client and line", async () => {
        await putDownload(rows, {
          ...downloading,
          downloadId: id(8),
          clientId: "site-4",
          jobId: null,
        });
        await putDownload(rows, {
          ...downloading,
          downloadId: id(9),
          clientId: "site-4",
          jobId: id(90),
        });
        const counted = await rows.countActiveLines();
        expect(counted).toHaveLength(2);
        expect(counted).toContainEqual({ clientId: "site-4", line: null, active: 2, own: 2 });
        expect(counted).toContainEqual({ clientId: "site-4", line: id(90), active: 1, own: 1 });
      });

      test.each([
        [0, 1_000],
        [1_000, 2_000],
        [3_500, 4_000],
        [4_000, null],
      ])("after %d the next is at %p", async (now, next) => {
        expect(await rows.nextDueAt(now)).toBe(next);
      });
    });
  });
}
