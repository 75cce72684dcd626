import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  NameTakenError,
  type Limits,
  type Repository,
} from "../../../lib/server/database/repository.ts";
import type { Sites } from "../../../lib/server/access/sites.ts";
import { hasEnded, type Download } from "../../../lib/server/download.ts";
import {
  client,
  completed,
  downloading,
  failed,
  id,
  queued,
  STATES,
  verifying,
} from "./samples.ts";
import { type Backend, putDownload } from "./backend.ts";

const NO_LIMITS: Limits = { total: 1_000, perClient: 1_000 };

/** Access to these clients, whatever their labels. */
const sitesOf = (...ids: string[]): Sites => ({ ids: new Set(ids), selector: null });

/** Tests that every {@link Repository} has to pass: single downloads and clients. */
export function repositoryContract(name: string, makeBackend: () => Promise<Backend>): void {
  describe(`${name} as a repository`, () => {
    let backend: Backend;
    /** Two repositories on the same database, as two programs have them. */
    let rows: Repository;
    let others: Repository;

    beforeEach(async () => {
      backend = await makeBackend();
      rows = await backend.open();
      others = await backend.open();
    });

    afterEach(async () => {
      await rows.close();
      await others.close();
      await backend.remove();
    });

    describe("a download", () => {
      test("comes back as it was inserted", async () => {
        const inserted = { ...queued(1), revision: 1 };
        expect(await rows.insertDownload(queued(1))).toStrictEqual(inserted);
        expect(await rows.getDownload(id(1))).toStrictEqual(inserted);
      });

      test("that is not there is null", async () => {
        expect(await rows.getDownload(id(1))).toBeNull();
      });

      test("cannot be inserted twice", async () => {
        await rows.insertDownload(queued(1));
        await expect(rows.insertDownload(queued(1))).rejects.toThrow();
      });

      test.each(STATES)("comes back exactly: %s", async (_, download) => {
        const written = await putDownload(rows, download);
        expect(written).toStrictEqual({ ...download, revision: 2 });
        expect(await others.getDownload(download.downloadId)).toStrictEqual(written);
      });

      test("of each state outlives the program", async () => {
        const written: Download[] = [];
        for (const [n, [, state]] of STATES.entries()) {
          // Each download gets a saved path of its own, because two cannot have the same one.
          const savedPath = "savedPath" in state && { savedPath: `site-1/${n}` };
          written.push(await putDownload(rows, { ...state, ...savedPath, downloadId: id(n) }));
        }
        await rows.close();
        await others.close();
        rows = await backend.open();
        others = await backend.open();
        const found = await rows.listDownloads({ limit: 100 });
        // Reopening the database may give the latest download a new revision, so that a lost revision is
        // never used twice.
        const expected = written
          .toReversed()
          .map((state, index) => ({ ...state, revision: found[index]!.revision }));
        expect(found).toStrictEqual(expected);
        expect(await rows.latestRevision()).toBeGreaterThanOrEqual(written.length);
      });
    });

    describe("replaceDownload", () => {
      test("lets one of two writers win", async () => {
        const before = await putDownload(rows, downloading);
        const mine = { ...before, durableOffset: 111 };
        const theirs = { ...before, durableOffset: 222 };
        const written = await Promise.all([
          rows.replaceDownload(mine),
          others.replaceDownload(theirs),
        ]);
        const [winner, ...more] = written.filter((result) => result !== null);
        expect(more).toEqual([]);
        expect(winner?.revision).toBeGreaterThan(before.revision);
        expect(await rows.getDownload(before.downloadId)).toStrictEqual(winner ?? null);
      });

      test.each(STATES)("writes all that differs from what was: %s", async (_, next) => {
        const before = await rows.insertDownload({ ...queued(0), downloadId: next.downloadId });
        const written = await rows.replaceDownload({ ...next, revision: before.revision }, before);
        expect(written).toStrictEqual({ ...next, revision: 2 });
        expect(await others.getDownload(next.downloadId)).toStrictEqual(written);
      });

      test("does nothing after a claim came first", async () => {
        const before = await rows.insertDownload(queued(1));
        const claimed = await others.claimDownload("site-1", null, NO_LIMITS, 1_000);
        expect(await rows.replaceDownload({ ...before, failures: 9 })).toBeNull();
        expect(await rows.getDownload(id(1))).toStrictEqual(claimed);
      });

      test("does nothing without a row", async () => {
        expect(await rows.replaceDownload(downloading)).toBeNull();
        expect(await rows.listDownloads({ limit: 1 })).toEqual([]);
      });

      test("refuses a name that another download holds, and changes nothing", async () => {
        await putDownload(rows, { ...completed, downloadId: id(1) });
        const second = await putDownload(rows, { ...downloading, downloadId: id(2) });
        const next = { ...verifying, downloadId: id(2), revision: second.revision };
        await expect(others.replaceDownload(next)).rejects.toBeInstanceOf(NameTakenError);
        expect(await rows.getDownload(id(2))).toStrictEqual(second);
      });

      test("gives the name free with the state that had it", async () => {
        const first = await putDownload(rows, { ...verifying, downloadId: id(1) });
        await rows.replaceDownload({ ...queued(1), revision: first.revision });
        const second = await putDownload(rows, { ...verifying, downloadId: id(2) });
        expect(second.savedPath).toBe(verifying.savedPath);
      });
    });

    describe("what has not ended", () => {
      let states: Download[];

      beforeEach(async () => {
        states = [];
        for (const [n, [, state]] of STATES.entries()) {
          const savedPath = "savedPath" in state && { savedPath: `site-1/${n}` };
          states.push(await putDownload(rows, { ...state, ...savedPath, downloadId: id(n) }));
        }
      });

      test("activeDownloads gives those that are downloading or verifying", async () => {
        const found = await rows.activeDownloads();
        const active = states.filter((d) => d.status === "downloading" || d.status === "verifying");
        expect(found).toHaveLength(active.length);
        expect(found).toEqual(expect.arrayContaining(active));
      });

      test("countActive counts them by client, without those that have none", async () => {
        await putDownload(rows, { ...downloading, downloadId: id(100), clientId: "site-2" });
        await putDownload(rows, { ...failed, downloadId: id(101), clientId: "site-3" });
        expect(await rows.countActive()).toEqual(
          new Map([
            ["site-1", 3],
            ["site-2", 1],
          ]),
        );
      });

      test("unendedAmong tells them from those that ended, or never were", async () => {
        const [first, ...rest] = states;
        const unended = rest.filter((d) => !hasEnded(d)).map((d) => d.downloadId);
        const asked = [...rest.map((d) => d.downloadId), id(100)];
        const found = await rows.unendedAmong(asked);
        expect(found).toEqual(new Set(unended));
        expect(found.has(first?.downloadId ?? "")).toBe(false);
        expect(await rows.unendedAmong([])).toEqual(new Set());
      });

      test("unendedAmong takes any number of ids", async () => {
        const asked = Array.from({ length: 70_000 }, (_, n) => id(n + 4));
        expect(await rows.unendedAmong(asked)).toEqual(new Set([id(4)]));
      });
    });

    describe("a client", () => {
      const known = client("site-1");
      const newKey = client("site-1", { keyHash: "b".repeat(64), hostname: "new", enrolledAt: 5 });

      test("comes back as it was registered, and outlives the program", async () => {
        expect(await rows.registerClient(newKey, null)).toBe(true);
        expect(await others.getClient("site-1")).toStrictEqual(newKey);
        await others.close();
        others = await backend.open();
        expect(await others.getClient("site-1")).toStrictEqual(newKey);
        expect(await rows.getClient("site-2")).toBeNull();
      });

      test("is listed by id", async () => {
        for (const clientId of ["site-2", "site-10", "site-1"]) {
          await rows.registerClient(client(clientId), null);
        }
        const listed = ["site-1", "site-10", "site-2"].map((clientId) => client(clientId));
        expect(await rows.listClients({ limit: 2 })).toStrictEqual(listed.slice(0, 2));
        expect(await rows.listClients({ after: "site-10", limit: 2 })).toStrictEqual(
          listed.slice(2),
        );
        const sites = sitesOf("site-10", "site-2", "site-3");
        expect(await rows.listClients({ sites, limit: 9 })).toStrictEqual(listed.slice(1));
        expect(await rows.listClients({ limit: 10_000 })).toStrictEqual(listed);
      });

      test.each([
        ["the key that is there", known, true],
        ["another key", { ...known, keyHash: "c".repeat(64) }, false],
        ["the key before it was revoked", { ...known, revokedAt: 7 }, false],
        ["none, as if it were new", null, false],
      ])("is replaced only in place of its key: %s", async (_, replaces, done) => {
        await rows.registerClient(known, null);
        await rows.registerClient(client("site-2"), null);
        expect(await rows.registerClient(newKey, replaces)).toBe(done);
        expect(await rows.getClient("site-1")).toStrictEqual(done ? newKey : known);
        expect(await rows.getClient("site-2")).toStrictEqual(client("site-2"));
      });

      test.each([
        ["nobody", null],
        ["a key", known],
      ])("enrols once when two race, over %s", async (_, replaces) => {
        if (replaces !== null) await rows.registerClient(known, null);
        const rival = { ...newKey, keyHash: "c".repeat(64) };
        const [mine, theirs] = await Promise.all([
          rows.registerClient(newKey, replaces),
          others.registerClient(rival, replaces),
        ]);
        expect([mine, theirs].toSorted()).toEqual([false, true]);
        expect(await rows.getClient("site-1")).toStrictEqual(mine ? newKey : rival);
      });

      test("is revoked once, which a registration under way finds out", async () => {
        await rows.registerClient(known, null);
        expect(await rows.revokeClient("site-1", 77)).toStrictEqual({ ...known, revokedAt: 77 });
        expect(await others.revokeClient("site-1", 88)).toStrictEqual({ ...known, revokedAt: 77 });
        expect(await rows.revokeClient("site-2", 77)).toBeNull();
        expect(await others.registerClient(newKey, known)).toBe(false);
        expect(await others.registerClient(newKey, { ...known, revokedAt: 77 })).toBe(true);
        expect(await rows.getClient("site-1")).toStrictEqual(newKey);
      });

      test("is seen, and never earlier than before", async () => {
        await rows.registerClient(known, null);
        await rows.registerClient(client("site-2"), null);
        const later = known.lastSeenAt + 10;
        await rows.clientsSeen(new Map([["site-1", later]]));
        await others.clientsSeen(new Map([["site-1", later - 1]]));
        await rows.clientsSeen(new Map([["site-3", later]]));
        await rows.clientsSeen(new Map());
        const expected = [{ ...known, lastSeenAt: later }, client("site-2")];
        expect(await rows.listClients({ limit: 10_000 })).toStrictEqual(expected);
      });

      test("is seen with many others at once", async () => {
        const ids = Array.from({ length: 1_234 }, (_, n) => `site-${n + 1_000}`);
        for (const clientId of ids) await rows.registerClient(client(clientId), null);
        const { lastSeenAt } = client("site-1");
        await rows.clientsSeen(new Map(ids.map((clientId, n) => [clientId, lastSeenAt + n])));
        const found = (await others.listClients({ limit: 10_000 })).map(
          (one) => one.lastSeenAt - lastSeenAt,
        );
        expect(found).toEqual(ids.map((_, n) => n));
      });
    });
  });
}
