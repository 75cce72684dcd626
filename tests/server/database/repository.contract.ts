import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  NameTakenError,
  type DownloadFilter,
  type Limits,
  type Repository,
} from "../../../lib/server/database/repository.ts";
import { areOf, type Sites } from "../../../lib/server/access/sites.ts";
import { hasEnded, type Download, type Failed } from "../../../lib/server/download.ts";
import { LONGEST_WAIT_MS } from "../../../lib/server/transition.ts";
import { nextRound } from "../../../lib/util/fair-turns.ts";
import { Random } from "../../support/random.ts";
import type { Backend } from "./backend.ts";
import {
  cancelled,
  client,
  completed,
  downloading,
  failed,
  id,
  queued,
  source,
  STATES,
  verifying,
} from "./samples.ts";

const NO_LIMITS: Limits = { total: 1_000, perClient: 1_000 };

/** These clients, whatever their labels. */
const sitesOf = (...ids: string[]): Sites => ({ ids: new Set(ids), selector: null });

/** What every implementation of {@link Repository} is held to. */
export function repositoryContract(name: string, makeBackend: () => Promise<Backend>): void {
  describe(`${name} as a repository`, () => {
    let backend: Backend;
    /** Two programs that share the rows. */
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

    /** Writes a download in any state. */
    async function put<T extends Download>(download: T): Promise<T> {
      const { downloadId, clientId } = download;
      const { revision } = await rows.insertDownload({ ...queued(0), downloadId, clientId });
      const written = await rows.replaceDownload({ ...download, revision });
      if (!written) throw new Error("the row was changed by another");
      return written;
    }

    async function claimedIds(clientId: string, limits: Limits, now: number): Promise<string[]> {
      const claimed = await rows.claimDownload(clientId, null, limits, now);
      return claimed ? [claimed.downloadId, ...(await claimedIds(clientId, limits, now))] : [];
    }

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
        const written = await put(download);
        expect(written).toStrictEqual({ ...download, revision: 2 });
        expect(await others.getDownload(download.downloadId)).toStrictEqual(written);
      });

      test("of each state outlives the program", async () => {
        const written: Download[] = [];
        for (const [n, [, state]] of STATES.entries()) {
          // Two cannot have the same name.
          const savedPath = "savedPath" in state && { savedPath: `site-1/${n}` };
          written.push(await put({ ...state, ...savedPath, downloadId: id(n) }));
        }
        await rows.close();
        await others.close();
        rows = await backend.open();
        others = await backend.open();
        const found = await rows.listDownloads({ limit: 100 });
        // The latest one may have another number, after which no lost one is given again.
        const expected = written
          .toReversed()
          .map((state, index) => ({ ...state, revision: found[index]!.revision }));
        expect(found).toStrictEqual(expected);
        expect(await rows.latestRevision()).toBeGreaterThanOrEqual(written.length);
      });
    });

    describe("replaceDownload", () => {
      test("lets one of two writers win", async () => {
        const before = await put(downloading);
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
        await put({ ...completed, downloadId: id(1) });
        const second = await put({ ...downloading, downloadId: id(2) });
        const next = { ...verifying, downloadId: id(2), revision: second.revision };
        await expect(others.replaceDownload(next)).rejects.toBeInstanceOf(NameTakenError);
        expect(await rows.getDownload(id(2))).toStrictEqual(second);
      });

      test("gives the name free with the state that had it", async () => {
        const first = await put({ ...verifying, downloadId: id(1) });
        await rows.replaceDownload({ ...queued(1), revision: first.revision });
        const second = await put({ ...verifying, downloadId: id(2) });
        expect(second.savedPath).toBe(verifying.savedPath);
      });
    });

    describe("claimDownload", () => {
      test("takes the oldest first, whatever the order they came in", async () => {
        for (const n of [5, 2, 9, 1]) await rows.insertDownload(queued(n));
        expect(await claimedIds("site-1", NO_LIMITS, 1_000)).toEqual([1, 2, 5, 9].map(id));
      });

      test("makes it the next attempt and drops what only a queued one has", async () => {
        const problem = { code: "storage_full", message: "no room" } as const;
        const waited = await put(
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
        await put(queued(1, { startedAt: 500 }));
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
        await put({ ...verifying, downloadId: id(1) });
        for (const n of [2, 3, 4]) await rows.insertDownload(queued(n));
        const limits = { total: 100, perClient: 3 };
        expect(await claimedIds("site-1", limits, 1_000)).toEqual([id(2), id(3)]);
        await rows.insertDownload(queued(5, { clientId: "site-2" }));
        expect(await claimedIds("site-2", limits, 1_000)).toEqual([id(5)]);
      });

      test("keeps the limit over all clients, to which one that ended does not count", async () => {
        await put({ ...downloading, downloadId: id(1), clientId: "site-2" });
        await put({ ...completed, downloadId: id(2), clientId: "site-2" });
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

    describe("listDownloads", () => {
      const CLIENTS = ["site-1", "site-2", "site-3"];
      const all = Array.from({ length: 240 }, (_, n): Download => {
        const rest = { downloadId: id(n), clientId: CLIENTS[(n * 7) % 3] ?? "" };
        if (n % 5 === 1) return { ...failed, ...rest };
        if (n % 5 === 2) return { ...completed, ...rest, savedPath: `site-1/${n}` };
        return { ...queued(n), ...rest };
      }).toReversed();

      /** The oldest comes last. */
      async function fill(): Promise<void> {
        for (const download of all) {
          await (download.status === "queued" ? rows.insertDownload(download) : put(download));
        }
      }

      async function pages(filter: DownloadFilter): Promise<Download[]> {
        const page = await rows.listDownloads(filter);
        expect(page.length).toBeLessThanOrEqual(filter.limit);
        const last = page.at(-1);
        return last ? [...page, ...(await pages({ ...filter, before: last.downloadId }))] : [];
      }

      test("gives every row once, newest first, page by page and for every filter", async () => {
        await fill();
        const lists = [null, ["site-1"], ["site-2", "site-3", "site-4"], ["site-4"], []];
        for (const status of [undefined, "queued", "failed", "completed", "cancelled"] as const) {
          for (const clientId of [undefined, ...CLIENTS, "site-4"]) {
            for (const sites of lists.map((ids) => ids && sitesOf(...ids))) {
              const expected = all.filter(
                (d) =>
                  (!status || d.status === status) &&
                  (!clientId || d.clientId === clientId) &&
                  areOf(sites, d.clientId, {}),
              );
              const found = await pages({ status, clientId, sites, limit: 17 });
              expect(found.map((d) => d.downloadId)).toEqual(expected.map((d) => d.downloadId));
            }
          }
        }
      });

      test("gives what failed and was not retried", async () => {
        await fill();
        const open = all.filter(({ status }) => status === "failed");
        const retried = open.splice(3, 10);
        for (const { downloadId } of retried) {
          const failure = (await rows.getDownload(downloadId)) as Failed;
          await rows.replaceDownload({ ...failure, retriedAs: id(999) });
        }
        for (const sites of [null, sitesOf("site-1", "site-2")]) {
          for (const clientId of [undefined, "site-2"]) {
            const expected = open.filter(
              (d) => (!clientId || d.clientId === clientId) && areOf(sites, d.clientId, {}),
            );
            const found = await pages({ open: true, clientId, sites, limit: 7 });
            expect(found.map((d) => d.downloadId)).toEqual(expected.map((d) => d.downloadId));
          }
          const { openFailures } = await rows.totalsSince(Date.now(), sites);
          expect(openFailures).toBe(open.filter((d) => areOf(sites, d.clientId, {})).length);
        }
      });
    });

    describe("what has not ended", () => {
      let states: Download[];

      beforeEach(async () => {
        states = [];
        for (const [n, [, state]] of STATES.entries()) {
          const savedPath = "savedPath" in state && { savedPath: `site-1/${n}` };
          states.push(await put({ ...state, ...savedPath, downloadId: id(n) }));
        }
      });

      test("activeDownloads gives those that are downloading or verifying", async () => {
        const found = await rows.activeDownloads();
        const active = states.filter((d) => d.status === "downloading" || d.status === "verifying");
        expect(found).toHaveLength(active.length);
        expect(found).toEqual(expect.arrayContaining(active));
      });

      test("countActive counts them by client, without those that have none", async () => {
        await put({ ...downloading, downloadId: id(100), clientId: "site-2" });
        await put({ ...failed, downloadId: id(101), clientId: "site-3" });
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

    describe("a revision", () => {
      const changedSince = async (revision: number, limit = 100) =>
        (await others.changedSince(revision, limit)).map((d) => d.downloadId);

      test("is 0 and nothing has changed where there are no downloads", async () => {
        expect(await rows.latestRevision()).toBe(0);
        expect(await changedSince(0)).toEqual([]);
      });

      test("rises over all downloads, by insert, claim and replacement", async () => {
        const inserted = [];
        for (const n of [3, 1, 2]) inserted.push(await rows.insertDownload(queued(n)));
        const claimed = await others.claimDownload("site-1", null, NO_LIMITS, 1_000);
        const ended = await rows.replaceDownload({ ...cancelled, downloadId: id(3), revision: 1 });
        const revisions = [...inserted, claimed, ended].map((d) => d?.revision);
        expect(revisions).toEqual([1, 2, 3, 4, 5]);
        expect(await rows.latestRevision()).toBe(5);
      });

      test("tells what changed after it: each download once, the latest change last", async () => {
        for (const n of [3, 1, 2]) await rows.insertDownload(queued(n));
        expect(await changedSince(0)).toEqual([3, 1, 2].map(id));
        await rows.claimDownload("site-1", null, NO_LIMITS, 1_000);
        expect(await changedSince(0)).toEqual([3, 2, 1].map(id));
        expect(await changedSince(2)).toEqual([2, 1].map(id));
        expect(await changedSince(2, 1)).toEqual([2].map(id));
        expect(await changedSince(await rows.latestRevision())).toEqual([]);
      });

      test("finds the latest ends, of all or of some sites, the latest change last", async () => {
        for (let n = 0; n < 6; n++) {
          const clientId = `site-${n % 2}`;
          await put({ ...(n === 3 ? downloading : cancelled), downloadId: id(n), clientId });
        }
        const upTo = await rows.latestRevision();
        const ends = async (after: number, sites: string[] | null = null, limit = 100) => {
          const filter = { after, upTo, sites: sites && sitesOf(...sites), limit };
          return (await others.endsBetween(filter)).map(({ downloadId }) => downloadId);
        };
        await put({ ...failed, downloadId: id(6), clientId: "site-0" });
        expect(await ends(0)).toEqual([0, 1, 2, 4, 5].map(id));
        expect(await ends(0, null, 2)).toEqual([0, 1].map(id));
        expect(await ends(0, ["site-1", "site-9"])).toEqual([1, 5].map(id));
        expect(await ends(await rows.beforeLatestEnds(3))).toEqual([4, 5].map(id));
        expect(await rows.beforeLatestEnds(6)).toBe(0);
      });

      test("hides no change from who reads on while many write", async () => {
        const WRITERS = 8;
        const random = new Random(20_261_129);
        const known = new Map<string, number>();
        let told = 0;
        const readOn = async () => {
          for (const { downloadId, revision } of await others.changedSince(told, 7)) {
            expect(revision).toBeGreaterThan(told);
            known.set(downloadId, (told = revision));
          }
        };
        const over = new AbortController();
        const read = async () => {
          for (; !over.signal.aborted; await nextRound()) await readOn();
        };
        const write = async (writer: number) => {
          const rival = writer % 2 ? rows : others;
          for (let n = 0; n < 12; n++) {
            const { downloadId } = await rival.insertDownload(queued(writer * 100 + n));
            for (let changes = random.int(0, 2); changes > 0; changes--) {
              const before = await rival.getDownload(downloadId);
              if (before) await rival.replaceDownload({ ...before, failures: changes }, before);
            }
          }
        };
        const reading = read();
        await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
        over.abort();
        await reading;
        while (told < (await others.latestRevision())) await readOn();
        const all = await rows.listDownloads({ limit: 1_000 });
        expect(known).toEqual(new Map(all.map((d) => [d.downloadId, d.revision])));
      });

      test("is that of one change alone, also where two programs race", async () => {
        const inserts = Array.from({ length: 40 }, (_, n) =>
          (n % 2 ? rows : others).insertDownload(queued(n)),
        );
        const revisions = (await Promise.all(inserts)).map((d) => d.revision);
        expect(new Set(revisions).size).toBe(40);
        expect(await rows.latestRevision()).toBe(40);
      });
    });

    describe("totals since a time", () => {
      const idAt = (ms: number) => Bun.randomUUIDv7("hex", ms);

      test("count the downloads that were asked for from then on", async () => {
        await rows.insertDownload({ ...queued(1), downloadId: idAt(999_999), durableOffset: 1 });
        await rows.insertDownload({ ...queued(2), downloadId: idAt(1_000_000), durableOffset: 20 });
        const { downloadId } = await rows.insertDownload({
          ...queued(3),
          downloadId: idAt(2_000_000),
        });
        await rows.replaceDownload({ ...cancelled, downloadId, revision: 3, durableOffset: 300 });
        const none = { downloading: 0, verifying: 0, completed: 0, failed: 0 };
        expect(await rows.totalsSince(1_000_000)).toEqual({
          downloads: { ...none, queued: 1, cancelled: 1 },
          bytes: 320,
          openFailures: 0,
        });
        expect((await rows.totalsSince(0)).downloads).toMatchObject({ queued: 2, cancelled: 1 });
        expect(await rows.totalsSince(2_000_001)).toEqual({
          downloads: { ...none, queued: 0, cancelled: 0 },
          bytes: 0,
          openFailures: 0,
        });
      });

      test("count each site by itself, and more than one statement reads", async () => {
        const COUNT = 2_100;
        for (let n = 0; n < COUNT; n++) {
          const clientId = n % 7 ? "site-1" : "site-2";
          await rows.insertDownload({ ...queued(n), clientId, durableOffset: 1 });
        }
        const counted = async (...sites: string[]) => {
          const { downloads, bytes } = await rows.totalsSince(0, sitesOf(...sites));
          return [downloads.queued, bytes];
        };
        expect(await counted("site-2", "site-3")).toEqual([300, 300]);
        expect(await counted("site-1", "site-2")).toEqual([COUNT, COUNT]);
        expect(await rows.totalsSince(0)).toMatchObject({
          downloads: { queued: COUNT, completed: 0 },
          bytes: COUNT,
        });
      });
    });

    describe("what is due", () => {
      beforeEach(async () => {
        await rows.insertDownload(queued(1, { clientId: "site-3", notBefore: 2_000 }));
        await rows.insertDownload(queued(2, { clientId: "site-1", notBefore: 3_000 }));
        await rows.insertDownload(queued(3, { clientId: "site-2", notBefore: 1_000 }));
        await rows.insertDownload(queued(4, { clientId: "site-1", notBefore: 4_000 }));
        await put({ ...downloading, downloadId: id(5), clientId: "site-4" });
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
        // The clock was put back.
        [0, 999 - LONGEST_WAIT_MS, ["site-1", "site-2", "site-3"]],
      ])("between %d and %d it becomes that of these clients", async (after, now, clients) => {
        const found = await rows.dueSince(after, now);
        expect(found.toSorted((a, b) => a.clientId.localeCompare(b.clientId))).toEqual(
          clients.map((clientId) => ({ clientId, line: null })),
        );
      });

      test("is counted while it runs, by client and line", async () => {
        await put({ ...downloading, downloadId: id(8), clientId: "site-4", jobId: null });
        await put({ ...downloading, downloadId: id(9), clientId: "site-4", jobId: id(90) });
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
