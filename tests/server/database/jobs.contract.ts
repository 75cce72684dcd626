import { describe, expect, test } from "bun:test";
import type { Repository } from "../../../lib/server/database/repository.ts";
import type { Download } from "../../../lib/server/download.ts";
import type { IdempotencyKey, Job } from "../../../lib/server/job.ts";
import { JOB, jobFields as job } from "./job-sample.ts";
import { type Backend, openedTwice } from "./backend.ts";
import { completed, failed, id, queued } from "./samples.ts";

const NOW = 1_700_000_000_000;
const LIMITS = { total: 100, perClient: 100 };

/** Tests that every repository has to pass: jobs. */
export function jobsContract(name: string, makeBackend: () => Promise<Backend>): void {
  describe(`${name} keeps jobs`, () => {
    let rows: Repository;
    let others: Repository;

    openedTwice(makeBackend, (...opened) => {
      [rows, others] = opened;
    });

    async function make(fields: Partial<Job> = {}, clientIds: string[] = []): Promise<Job> {
      const made = { ...job, ...fields };
      await rows.jobs.draft(made);
      await rows.jobs.addMembers(made.jobId, clientIds);
      return rows.jobs.publish(made.jobId);
    }

    /** Inserts a client's download of the job, and puts it into this state; without one, it stays queued. */
    async function put(n: number, clientId: string, state?: Download): Promise<Download> {
      const inserted = await rows.jobs.insertDownload(
        queued(n, { clientId, jobId: JOB, notBefore: NOW }),
        null,
      );
      if (!inserted) throw new Error("the client has a download");
      if (!state) return inserted;
      const { revision } = inserted;
      const next = { ...state, downloadId: id(n), clientId, jobId: JOB, revision };
      const savedPath = "savedPath" in next && { savedPath: `${clientId}/${n}` };
      return (await rows.replaceDownload({ ...next, ...savedPath }))!;
    }

    const totals = async (...sites: string[]) =>
      others.jobs.totals(JOB, sites.length > 0 ? { ids: new Set(sites), selector: null } : null);

    test("a job comes back as it was made, once it is published", async () => {
      await rows.jobs.draft(job);
      expect(await others.jobs.get(JOB)).toBeNull();
      expect(await others.jobs.list({ limit: 9 })).toEqual([]);
      expect(await rows.jobs.publish(JOB)).toStrictEqual(job);
      expect(await others.jobs.get(JOB)).toStrictEqual(job);
      const bare = {
        ...job,
        jobId: id(91),
        name: null,
        selection: { all: true as const },
        createdBy: null,
        createdWith: null,
        expiresAt: null,
        maxConcurrent: null,
        stopWhen: null,
        rerun: null,
        unsettled: false,
      };
      expect(await make(bare)).toStrictEqual(bare);
      expect(await others.jobs.list({ limit: 9 })).toStrictEqual([bare, job]);
      expect(await others.jobs.list({ limit: 1 })).toStrictEqual([bare]);
      expect(await others.jobs.list({ before: id(91), limit: 9 })).toStrictEqual([job]);
      expect(await others.jobs.list({ status: "failed", limit: 9 })).toEqual([]);
    });

    test("a draft that was never published is forgotten, with its clients", async () => {
      await rows.jobs.draft(job);
      await rows.jobs.addMembers(JOB, ["site-1"]);
      await make({ jobId: id(91) }, ["site-2"]);
      await others.jobs.dropDrafts(job.createdAt + 1);
      await expect(rows.jobs.publish(JOB)).rejects.toThrow();
      expect(await rows.jobs.members(JOB, "", 9)).toEqual([]);
      expect(await rows.jobs.members(id(91), "", 9)).toHaveLength(1);
    });

    test("of two changes of a job one comes first", async () => {
      const made = await make();
      const [mine, theirs] = await Promise.all([
        rows.jobs.replace({ ...made, status: "paused" }),
        others.jobs.replace({ ...made, status: "cancelled", endedAt: NOW }),
      ]);
      expect([mine, theirs].filter((one) => one !== null)).toHaveLength(1);
      const after = (mine ?? theirs)!;
      expect(after).toStrictEqual({ ...made, ...after, revision: 2 });
      expect(await rows.jobs.get(JOB)).toStrictEqual(after);
    });

    test("tells which jobs are open, may be joined, and expire next", async () => {
      await make();
      await make({ jobId: id(91), status: "running", membership: "snapshot", expiresAt: NOW + 5 });
      const ended = await make({ jobId: id(92), unsettled: true });
      await rows.jobs.replace({ ...ended, status: "cancelled" });
      const settled = await make({ jobId: id(93) });
      await rows.jobs.replace({ ...settled, status: "stopped", unsettled: false });
      const ids = (jobs: Job[]) => jobs.map(({ jobId }) => jobId);
      expect(ids(await rows.jobs.open())).toEqual([90, 91, 92].map(id));
      expect(ids(await rows.jobs.continuous())).toEqual([JOB]);
      expect(await others.jobs.countByStatus()).toMatchObject({
        running: 2,
        paused: 0,
        cancelled: 1,
        stopped: 1,
      });
      expect(await rows.jobs.nextExpiry(NOW)).toBe(NOW + 5);
      expect(await rows.jobs.nextExpiry(NOW + 5)).toBe(NOW + 10);
      expect(await rows.jobs.nextExpiry(NOW + 10)).toBeNull();
    });

    test("counts the newest download of each client, and who has none as queued", async () => {
      await make({}, ["a", "b", "c", "d"]);
      expect(await rows.jobs.addMembers(JOB, ["a", "d"])).toBe(0);
      expect(await rows.jobs.addMembers(JOB, ["d", "e"])).toBe(1);
      expect(await totals()).toMatchObject({ total: 5, counts: { queued: 5 } });
      await put(1, "a", { ...failed, retriedAs: id(3) });
      await put(2, "b", failed);
      expect(await totals()).toMatchObject({ total: 5, counts: { queued: 4, failed: 1 } });
      expect(await rows.jobs.replacementFor(JOB, "a")).toEqual({
        downloadId: id(3),
        localTime: null,
      });
      expect(await rows.jobs.replacementFor(JOB, "e")).toBeNull();
      await put(3, "a", completed);
      const all = await totals();
      expect(all).toMatchObject({ total: 5, counts: { queued: 3, failed: 1, completed: 1 } });
      expect(all).toMatchObject({ filesReceived: 1, filesSkipped: 0 });
      expect(all.bytesReceived).toBeGreaterThan(0);
      expect(all.totalSize).toBeGreaterThan(0);
      expect(await totals("b", "e", "z")).toMatchObject({
        total: 2,
        counts: { queued: 1, failed: 1, completed: 0 },
      });
    });

    test("makes one newest download for each client, whoever makes it", async () => {
      await make({}, ["a", "b"]);
      const made = await Promise.all(
        [rows, others].map(({ jobs }, n) =>
          jobs.insertDownload(queued(n + 1, { clientId: "a", jobId: JOB }), null),
        ),
      );
      expect(made.filter((one) => one !== null)).toHaveLength(1);
      expect(await rows.jobs.members(JOB, "", 9)).toEqual([
        { clientId: "a", hasDownload: true },
        { clientId: "b", hasDownload: false },
      ]);
      expect(await rows.jobs.members(JOB, "a", 9)).toHaveLength(1);
      expect(await rows.jobs.downloads(JOB, "queued", "", 9)).toHaveLength(1);
      expect(await rows.jobs.downloads(JOB, "failed", "", 9)).toEqual([]);
      expect(await rows.listDownloads({ jobId: JOB, limit: 9 })).toHaveLength(1);
      expect(await rows.listDownloads({ jobId: JOB, clientId: "b", limit: 9 })).toEqual([]);
    });

    test("makes the downloads of several clients, but for those that have one", async () => {
      const clientIds = ["a", "b", "c", "d"];
      await make({}, clientIds);
      await put(9, "b");
      const before = await rows.latestRevision();
      const made = await others.jobs.insertDownloads(
        clientIds.map((clientId, n) => ({
          download: queued(n + 1, { clientId, jobId: JOB, notBefore: NOW }),
          startsAt: clientId === "c" ? NOW + 5 : null,
        })),
      );
      expect(made.map(({ clientId }) => clientId).toSorted()).toEqual(["a", "c", "d"]);
      const revisions = new Set(made.map(({ revision }) => revision));
      expect(revisions.size).toBe(3);
      expect(Math.min(...revisions)).toBeGreaterThan(before);
      expect(await rows.changedSince(before, 9)).toHaveLength(3);
      expect(await rows.nextDueAt(NOW)).toBe(NOW + 5);
      expect(await rows.jobs.insertDownloads([])).toEqual([]);
    });

    test.each<[string, Partial<Job>, number, number]>([
      ["runs", {}, NOW, 2],
      ["has no limit", { maxConcurrent: null }, NOW, 3],
      ["is paused", { status: "paused" }, NOW, 0],
      ["has ended", { status: "cancelled" }, NOW, 0],
      ["has expired", {}, NOW + 10, 0],
      ["never expires", { expiresAt: null }, NOW + 10, 2],
    ])("lets so many be claimed where it %s", async (_, fields, now, count) => {
      const made = await make({}, ["a", "b", "c"]);
      await rows.jobs.replace({ ...made, ...fields });
      for (const [n, clientId] of ["a", "b", "c"].entries()) await put(n + 1, clientId);
      const claimed = [];
      for (const clientId of ["a", "b", "c"]) {
        claimed.push(await rows.claimDownload(clientId, JOB, LIMITS, now));
        expect(await rows.claimDownload(clientId, null, LIMITS, now)).toBeNull();
      }
      expect(claimed.filter((one) => one !== null)).toHaveLength(count);
    });

    test("lets nothing be claimed before its start", async () => {
      await make({}, ["a"]);
      const download = queued(1, { clientId: "a", jobId: JOB, notBefore: NOW - 9 });
      await rows.jobs.insertDownload(download, NOW + 5);
      expect(await rows.claimDownload("a", JOB, LIMITS, NOW + 4)).toBeNull();
      expect(await rows.waitingFor("a", NOW + 4)).toEqual([]);
      expect(await rows.nextDueAt(NOW)).toBe(NOW + 5);
      expect(await rows.dueSince(NOW, NOW + 4)).toEqual([]);
      expect(await rows.dueSince(NOW, NOW + 5)).toEqual([{ clientId: "a", line: JOB }]);
      expect(await rows.waitingFor("a", NOW + 5)).toEqual([{ clientId: "a", line: JOB }]);
      expect(await rows.claimDownload("a", JOB, LIMITS, NOW + 5)).not.toBeNull();
    });

    test("starts what waits for its start where the clock was put back before the job", async () => {
      await make({ spreadFrom: NOW }, ["a"]);
      const before = NOW - 10 * 86_400_000;
      const download = queued(1, { clientId: "a", jobId: JOB, notBefore: NOW });
      await rows.jobs.insertDownload(download, NOW + 5);
      const waiting = [{ clientId: "a", line: JOB }];
      expect(await rows.dueSince(0, before)).toEqual(waiting);
      expect(await rows.waitingFor("a", before)).toEqual(waiting);
      // A clock that is only one second before the job's start does not count as set back, so nothing is
      // claimed.
      expect(await rows.claimDownload("a", JOB, LIMITS, NOW - 1_000)).toBeNull();
      expect(await rows.claimDownload("a", JOB, LIMITS, before)).not.toBeNull();
      expect(await rows.dueSince(0, before)).toEqual([]);
    });

    test("is seen by whoever made it, and whoever sees one of its clients", async () => {
      await make({}, ["a", "b"]);
      await make({ jobId: id(91), createdWith: null }, ["c"]);
      const seen = async (tokenHash: string | null, ...ids: string[]) => {
        const sites = { ids: new Set(ids), selector: null };
        const jobs = await rows.jobs.list({ seenBy: { sites, tokenHash }, limit: 9 });
        return jobs.map(({ jobId }) => jobId);
      };
      expect(await seen("h")).toEqual([JOB]);
      expect(await seen("other", "b")).toEqual([JOB]);
      expect(await seen("other", "b", "c")).toEqual([id(91), JOB]);
      expect(await seen("other", "z")).toEqual([]);
      expect(await seen(null)).toEqual([]);
    });

    test("a key stands for its request until it is old", async () => {
      const key: IdempotencyKey = {
        owner: "o",
        key: "k",
        bodyHash: "1",
        jobId: id(1),
        createdAt: NOW,
      };
      const later = { ...key, bodyHash: "2", jobId: id(2), createdAt: NOW + 10 };
      expect(await rows.jobs.takeKey(key, NOW - 5)).toStrictEqual(key);
      expect(await others.jobs.takeKey(later, NOW)).toStrictEqual(key);
      expect(await others.jobs.takeKey({ ...later, owner: "p" }, NOW)).toMatchObject({
        owner: "p",
      });
      expect(await others.jobs.findKey("o", "k", NOW)).toStrictEqual(key);
      expect(await others.jobs.findKey("o", "k", NOW + 1)).toBeNull();
      expect(await others.jobs.takeKey(later, NOW + 1)).toStrictEqual(later);
    });
  });
}
