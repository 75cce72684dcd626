import { describe, expect, test } from "bun:test";
import type { Repository } from "../../../lib/server/database/repository.ts";
import type { Delivery, DeliveryFilter, Schedule } from "../../../lib/server/schedule.ts";
import { atOnce } from "../../../lib/util/fair-turns.ts";
import { scheduleOf } from "../schedules/stage.ts";
import { type Backend, openedTwice } from "./backend.ts";
import { jobFields } from "./job-sample.ts";
import { completed, id, queued } from "./samples.ts";

const NOW = 1_700_000_000_000;
const NIGHTS = ["2026-11-01T02:30:00", "2026-11-02T02:30:00", "2026-11-03T02:30:00"];
const JOB = id(80);

/** Tests that every repository has to pass: schedules and deliveries. */
export function schedulesContract(name: string, makeBackend: () => Promise<Backend>): void {
  describe(`${name} keeps schedules`, () => {
    let rows: Repository;
    let others: Repository;
    const schedule: Schedule = scheduleOf({
      scheduleId: id(70),
      timeZone: "Asia/Tokyo",
      due: { at: "04:00" },
      keep: { days: 90, last: null },
      job: { clients: { all: true } },
      since: NOW,
      createdBy: "night",
      createdWith: "h",
    });

    openedTwice(makeBackend, (one, another) => {
      rows = one;
      others = another;
    });

    const delivery = (fields: Partial<Delivery> = {}): Delivery => ({
      scheduleId: schedule.scheduleId,
      clientId: "a",
      localTime: NIGHTS[0]!,
      timeZone: "UTC",
      scheduledAt: NOW,
      dueAt: NOW + 10,
      jobId: JOB,
      status: "expected",
      downloadId: null,
      files: 0,
      bytes: 0,
      revision: 1,
      ...fields,
    });
    const list = (filter: Partial<DeliveryFilter> = {}) =>
      others.deliveries.list(id(70), { sites: null, limit: 100, ...filter }, atOnce);
    const keys = async (filter?: Partial<DeliveryFilter>) =>
      (await list(filter)).map(
        ({ clientId, localTime }) => `${localTime.slice(8, 10)} ${clientId}`,
      );

    test("one comes back as it was made, and has its name alone", async () => {
      expect(await rows.schedules.insert(schedule)).toBe(true);
      expect(await others.schedules.get("nightly")).toStrictEqual(schedule);
      expect(await others.schedules.byId(id(70))).toStrictEqual(schedule);
      expect(await rows.schedules.insert({ ...schedule, scheduleId: id(71) })).toBe(false);
      const changed = await rows.schedules.replace({ ...schedule, paused: "by_hand" });
      expect(changed).toStrictEqual({ ...schedule, paused: "by_hand", revision: 2 });
      expect(await others.schedules.replace(schedule)).toBeNull();
      expect(await rows.schedules.count()).toBe(1);
    });

    test("one that is gone has its name no more, and is forgotten in pieces", async () => {
      await rows.schedules.insert(schedule);
      await rows.schedules.addTimes([{ scheduleId: id(70), timeZone: "UTC", at: NOW, timing: 1 }]);
      await rows.deliveries.insert([delivery(), delivery({ clientId: "b" })]);
      await rows.schedules.remove(id(70));
      expect(await others.schedules.get("nightly")).toBeNull();
      expect(await others.schedules.list({ limit: 9 })).toEqual([]);
      expect(await others.schedules.dueTimes(NOW, 9)).toEqual([]);
      expect(await rows.schedules.insert({ ...schedule, scheduleId: id(71) })).toBe(true);
      while (await rows.schedules.forget());
      expect(await list()).toEqual([]);
      expect(await others.schedules.times(id(70))).toEqual([]);
      expect(await others.schedules.byId(id(71))).not.toBeNull();
    });

    test("next times are those of what runs, and move only from where they were", async () => {
      await rows.schedules.insert(schedule);
      const time = { scheduleId: id(70), timeZone: "UTC", at: NOW + 5, timing: 1 };
      await rows.schedules.addTimes([time, { ...time, timeZone: "Asia/Tokyo", at: NOW + 3 }]);
      await rows.schedules.addTimes([{ ...time, at: NOW + 1 }]);
      expect(await others.schedules.nextAt()).toBe(NOW + 3);
      expect(await others.schedules.dueTimes(NOW + 5, 1)).toMatchObject([{ at: NOW + 3 }]);
      await rows.schedules.moveTime({ ...time, at: NOW + 4 }, NOW + 9, 1);
      expect(await others.schedules.dueTimes(NOW + 5, 9)).toHaveLength(2);
      await rows.schedules.moveTime(time, NOW + 9, 2);
      await rows.schedules.addTimes([{ ...time, at: NOW + 7, timing: 3 }]);
      expect(await others.schedules.times(id(70))).toMatchObject([
        { timeZone: "Asia/Tokyo", at: NOW + 3 },
        { timeZone: "UTC", at: NOW + 7, timing: 3 },
      ]);
      await rows.schedules.replace({ ...schedule, paused: "token_ended" });
      expect(await others.schedules.nextAt()).toBeNull();
      expect(await others.schedules.dueTimes(NOW + 9, 9)).toEqual([]);
    });

    test("a time of a zone has the job of whoever began it first", async () => {
      const time = { scheduleId: id(70), timeZone: "UTC", localTime: NIGHTS[0]!, at: NOW };
      const first = { ...time, jobId: id(1), isMade: false };
      const both = await Promise.all([
        rows.schedules.begin(first),
        others.schedules.begin({ ...first, jobId: id(2) }),
      ]);
      expect(both[0].jobId).toBe(both[1].jobId);
      await rows.schedules.finish(first);
      expect(await others.schedules.begin({ ...first, jobId: id(3) })).toEqual({
        ...both[0],
        isMade: true,
      });
    });

    test("deliveries come newest night first, by client, as far as they are wanted", async () => {
      for (const [n, localTime] of NIGHTS.entries()) {
        const scheduledAt = NOW + n;
        const status = n === 1 ? "missing" : "expected";
        const of = (clientId: string) => delivery({ clientId, localTime, scheduledAt, status });
        await rows.deliveries.insert(["c", "a", "b"].map(of));
      }
      await others.deliveries.insert([delivery({ status: "received" })]);
      const all = ["03 a", "03 b", "03 c", "02 a", "02 b", "02 c", "01 a", "01 b", "01 c"];
      expect(await keys()).toEqual(all);
      expect(await keys({ status: "missing" })).toEqual(all.slice(3, 6));
      expect(await keys({ clientId: "b" })).toEqual(["03 b", "02 b", "01 b"]);
      expect(await keys({ localFrom: "2026-11-02", localTo: "2026-11-02T99" })).toEqual(
        all.slice(3, 6),
      );
      expect(await keys({ from: NOW + 1, to: NOW + 1 })).toEqual(all.slice(3, 6));
      const sites = { ids: new Set(["b", "c", "z"]), selector: null };
      expect(await keys({ sites })).toEqual(all.filter((key) => !key.endsWith("a")));
      expect(await keys({ sites, clientId: "a" })).toEqual([]);
      expect(await keys({ sites, status: "missing" })).toEqual(["02 b", "02 c"]);
      for (const filter of [{}, { sites }]) {
        const paged: string[] = [];
        for (let after: Delivery | undefined, isMore = true; isMore;) {
          const page = await list({ ...filter, after, limit: 2 });
          paged.push(...page.map((one) => `${one.localTime.slice(8, 10)} ${one.clientId}`));
          after = page.at(-1);
          isMore = page.length === 2;
        }
        expect(paged).toEqual(await keys(filter));
      }
      const latest = await others.deliveries.latest(id(70), sites);
      expect(latest).toMatchObject({ localTime: NIGHTS[2], counts: { expected: 2, missing: 0 } });
      const stranger = { ids: new Set(["z"]), selector: null };
      expect(await others.deliveries.latest(id(70), stranger)).toBeNull();
      await rows.schedules.insert(schedule);
      const seenBy = (ids: Set<string>) => ({ sites: { ids, selector: null }, tokenHash: null });
      expect(await others.schedules.list({ seenBy: seenBy(sites.ids), limit: 9 })).toHaveLength(1);
      expect(await others.schedules.list({ seenBy: seenBy(stranger.ids), limit: 9 })).toEqual([]);
    });

    test("a board comes time by time, some cells at once", async () => {
      for (const [n, localTime] of NIGHTS.entries()) {
        const of = (clientId: string) => delivery({ clientId, localTime, dueAt: NOW + n });
        await rows.deliveries.insert(["c", "a", "b"].map(of));
      }
      const newest = (bounds: object) => others.deliveries.newestTime(id(70), bounds);
      expect(await newest({})).toBe(NIGHTS[2]!);
      expect(await newest({ before: NIGHTS[2] })).toBe(NIGHTS[1]!);
      expect(await newest({ before: NIGHTS[0] })).toBeUndefined();
      expect(await newest({ localTo: "2026-11-02T99" })).toBe(NIGHTS[1]!);
      expect(await newest({ localFrom: "2026-11-04" })).toBeUndefined();
      expect(await others.deliveries.newestTime(id(71), {})).toBeUndefined();
      const time = { scheduleId: id(70), localTime: NIGHTS[1]! };
      const cells = await others.deliveries.cells(time, "", null, 2);
      expect(cells).toEqual(
        ["a", "b"].map((clientId) => ({
          clientId,
          status: "expected",
          jobId: JOB,
          dueAt: NOW + 1,
        })),
      );
      const behind = await others.deliveries.cells(time, "b", null, 9);
      expect(behind.map(({ clientId }) => clientId)).toEqual(["c"]);
      const sites = { ids: new Set(["b"]), selector: null };
      expect(await others.deliveries.cells(time, "", sites, 9)).toMatchObject([{ clientId: "b" }]);
    });

    test("what is promised by hand is there until it is done", async () => {
      const run = {
        scheduleId: id(70),
        timeZone: "UTC",
        localTime: NIGHTS[0]!,
        at: NOW,
        jobId: JOB,
        clientIds: ["a", "b"],
      };
      await rows.schedules.insertRuns([]);
      await rows.schedules.insertRuns([run, { ...run, jobId: id(81) }]);
      expect(await others.schedules.listRuns()).toEqual([run, { ...run, jobId: id(81) }]);
      await others.schedules.removeRun(JOB);
      expect(await rows.schedules.listRuns()).toEqual([{ ...run, jobId: id(81) }]);
    });

    test("what was expected long ago is forgotten in pieces, and what is awaited stays", async () => {
      const statuses = ["received", "missing", "expected", "running", "late"] as const;
      for (const localTime of NIGHTS) {
        await rows.deliveries.insert(
          statuses.map((status) => delivery({ clientId: status, localTime, status })),
        );
        const made = { scheduleId: id(70), timeZone: "UTC", localTime, at: NOW, jobId: JOB };
        await rows.schedules.begin({ ...made, isMade: true });
        await rows.schedules.begin({ ...made, timeZone: "Asia/Tokyo", isMade: false });
      }
      await rows.deliveries.insert([delivery({ scheduleId: id(71), status: "received" })]);
      while (await others.schedules.forgetBefore(id(70), NIGHTS[2]!));
      const all = ["expected", "late", "missing", "received", "running"];
      expect(await keys()).toEqual([
        ...all.map((status) => `03 ${status}`),
        ...["02 expected", "02 running", "01 expected", "01 running"],
      ]);
      const other = { sites: null, limit: 9 };
      expect(await others.deliveries.list(id(71), other, atOnce)).toHaveLength(1);
      // An occurrence whose job is not made yet is not forgotten. It keeps the job id of whoever began it.
      const again = async (localTime: string, timeZone: string) => {
        const made = { scheduleId: id(70), timeZone, localTime, at: NOW, isMade: false };
        return (await rows.schedules.begin({ ...made, jobId: id(99) })).jobId;
      };
      expect(await again(NIGHTS[1]!, "UTC")).toBe(id(99));
      expect(await again(NIGHTS[1]!, "Asia/Tokyo")).toBe(JOB);
      expect(await again(NIGHTS[2]!, "UTC")).toBe(JOB);
    });

    test("a delivery changes for one of two, and is due until something is there", async () => {
      await rows.deliveries.insert([delivery(), delivery({ clientId: "b", dueAt: NOW + 20 })]);
      expect(await others.deliveries.nextDue()).toBe(NOW + 10);
      const due = await others.deliveries.due(NOW + 10, 9);
      expect(due).toEqual([{ delivery: delivery(), download: null }]);
      const state = { status: "received", downloadId: id(1), files: 2, bytes: 9 } as const;
      const first = { delivery: delivery(), state };
      const changed = await rows.deliveries.change([first]);
      expect(changed).toEqual([delivery({ ...state, revision: 2 })]);
      const late = { ...first, state: { ...state, status: "late" as const } };
      expect(await others.deliveries.change([late])).toEqual([]);
      expect(await others.deliveries.nextDue()).toBe(NOW + 20);
      const open = await others.deliveries.open(null, 9);
      expect(open.map(({ delivery: { clientId } }) => clientId)).toEqual(["b"]);
      expect(await others.deliveries.open(open[0]!.delivery, 9)).toEqual([]);
    });

    test("of a delivery the newest download of its job is told, and who is busy with it", async () => {
      const occurrence = { schedule: "nightly", at: NOW, localTime: null };
      await rows.jobs.draft({ ...jobFields, jobId: JOB, occurrence, expiresAt: NOW + 50 });
      await rows.jobs.addMembers(JOB, ["a", "b", "c"]);
      await rows.jobs.publish(JOB);
      await rows.deliveries.insert(["a", "b", "c"].map((clientId) => delivery({ clientId })));
      await rows.deliveries.insert([delivery({ clientId: "d", jobId: null, status: "skipped" })]);
      const common = { clientId: "a", jobId: JOB };
      const made = (await rows.jobs.insertDownload(queued(1, common), null))!;
      await rows.jobs.insertDownload(queued(2, { clientId: "b", jobId: JOB }), null);
      const done = { ...completed, ...common, downloadId: id(1), revision: made.revision };
      const source = { ...completed.source, totalSize: 77 };
      await rows.replaceDownload({ ...done, source, storedBytes: 77, savedPath: "a/x" }, made);
      const asked = await others.deliveries.asked(JOB, ["a", "c", "z"]);
      expect(asked.map(({ download }) => download)).toEqual([
        {
          downloadId: id(1),
          status: "completed",
          completedAt: completed.completedAt,
          hasContent: true,
          isSet: false,
          totalSize: 77,
          filesReceived: 0,
          filesUnchanged: 0,
          filesSkipped: 0,
        },
        null,
      ]);
      const busy = (now: number) =>
        others.deliveries.busyAmong("nightly", ["a", "b", "c", "d"], now);
      expect(await busy(NOW)).toEqual(new Set(["b", "c"]));
      // When the job expires, a client whose download is only queued is no longer busy.
      expect(await busy(NOW + 50)).toEqual(new Set());
      expect(await others.deliveries.busyAmong("other", ["b"], NOW)).toEqual(new Set());
      const ids = (await others.deliveries.ofJob(JOB, "a", 9)).map(({ clientId }) => clientId);
      expect(ids).toEqual(["b", "c"]);
      const [skipped] = await others.deliveries.at(id(70), NIGHTS[0]!, ["d"]);
      expect(await rows.deliveries.askAgain(skipped!, id(81))).toBe(true);
      expect(await rows.deliveries.askAgain(skipped!, id(82))).toBe(false);
      expect(await others.deliveries.at(id(70), NIGHTS[0]!, ["d"])).toMatchObject([
        { jobId: id(81), status: "expected", revision: 2 },
      ]);
    });
  });
}
