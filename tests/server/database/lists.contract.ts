import { describe, expect, test } from "bun:test";
import type {
  DownloadFilter,
  Limits,
  Repository,
} from "../../../lib/server/database/repository.ts";
import { areOf, type Sites } from "../../../lib/server/access/sites.ts";
import type { Download, Failed } from "../../../lib/server/download.ts";
import { nextRound } from "../../../lib/util/fair-turns.ts";
import { Random } from "../../support/random.ts";
import { cancelled, completed, downloading, failed, id, queued } from "./samples.ts";
import { type Backend, openedTwice, putDownload } from "./backend.ts";

const NO_LIMITS: Limits = { total: 1_000, perClient: 1_000 };

/** Access to these clients, whatever their labels. */
const sitesOf = (...ids: string[]): Sites => ({ ids: new Set(ids), selector: null });

/** Tests that every {@link Repository} has to pass: lists, counts, and reports of changes. */
export function listsContract(name: string, makeBackend: () => Promise<Backend>): void {
  describe(`${name} as lists`, () => {
    /** Two repositories on the same database, as two programs have them. */
    let rows: Repository;
    let others: Repository;

    openedTwice(makeBackend, (one, other) => ([rows, others] = [one, other]));

    describe("listDownloads", () => {
      const CLIENTS = ["site-1", "site-2", "site-3"];
      const all = Array.from({ length: 240 }, (_, n): Download => {
        const rest = { downloadId: id(n), clientId: CLIENTS[(n * 7) % 3] ?? "" };
        if (n % 5 === 1) return { ...failed, ...rest };
        if (n % 5 === 2) return { ...completed, ...rest, savedPath: `site-1/${n}` };
        return { ...queued(n), ...rest };
      }).toReversed();

      /** Inserts all downloads, the oldest last. */
      async function fill(): Promise<void> {
        for (const download of all) {
          await (download.status === "queued"
            ? rows.insertDownload(download)
            : putDownload(rows, download));
        }
      }

      async function pages(filter: DownloadFilter): Promise<Download[]> {
        const page = await rows.listDownloads(filter);
        expect(page.length).toBeLessThanOrEqual(filter.limit);
        const last = page.at(-1);
        if (!last) return [];
        const rest = await pages({ ...filter, before: last.downloadId });
        // REST takes a page that is not full for the last one.
        if (page.length < filter.limit) expect(rest).toEqual([]);
        return [...page, ...rest];
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
          await putDownload(rows, {
            ...(n === 3 ? downloading : cancelled),
            downloadId: id(n),
            clientId,
          });
        }
        const upTo = await rows.latestRevision();
        const ends = async (after: number, sites: string[] | null = null, limit = 100) => {
          const filter = { after, upTo, sites: sites && sitesOf(...sites), limit };
          return (await others.endsBetween(filter)).map(({ downloadId }) => downloadId);
        };
        await putDownload(rows, { ...failed, downloadId: id(6), clientId: "site-0" });
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
  });
}
