import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Repository } from "../../../lib/server/database/repository.ts";
import type { Delivery, Schedule } from "../../../lib/server/schedule.ts";
import { atOnce } from "../../../lib/util/fair-turns.ts";
import { EFFORT } from "../../faults/effort.ts";
import { Random } from "../../support/random.ts";
import { TEST_LIMIT } from "../../support/wait.ts";
import { Killed, Mortal } from "./mortal.ts";
import { addClients, Night, Rows, scheduleOf } from "./stage.ts";

setDefaultTimeout(TEST_LIMIT);

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const FROM = Date.parse("2026-06-01T12:00:00Z");
/** The time of the first night, in ms since 1970. */
const NIGHT = Date.parse("2026-06-02T02:30:00Z");

let store: Rows;
let rows: Repository;
let night: Night;
let schedule: Schedule;

beforeEach(async () => {
  store = await Rows.open();
  rows = store.repository;
  night = new Night(rows);
  await addClients(rows, 3, ["UTC"]);
});
afterEach(() => store[Symbol.asyncDispose]());

async function make(fields: Partial<Schedule> = {}): Promise<void> {
  schedule = scheduleOf({ since: FROM, ...fields });
  await rows.schedules.insert(schedule);
  await night.begin(FROM);
}

const deliveries = (): Promise<Delivery[]> =>
  rows.deliveries.list(schedule.scheduleId, { sites: null, limit: 1_000 }, atOnce);
const nights = async () => [...new Set((await deliveries()).map(({ localTime }) => localTime))];
const iso = (at: number) => new Date(at).toISOString().slice(0, 19);

describe("a server that was off", () => {
  test("makes up for what it missed, once, within catch_up", async () => {
    await make();
    await night.begin(NIGHT + 6 * HOUR);
    await night.begin(NIGHT + 6 * HOUR + 1);
    expect(await nights()).toEqual([iso(NIGHT)]);
    expect(night.made).toHaveLength(1);
  });

  test("passes over what it missed for longer", async () => {
    await make();
    await night.begin(NIGHT + 6 * HOUR + 1);
    expect(await nights()).toEqual([]);
    await night.at(NIGHT + DAY);
    expect(await nights()).toEqual([iso(NIGHT + DAY)]);
  });

  test("for a week makes up for the last night alone", async () => {
    await make();
    await night.begin(NIGHT + 7 * DAY + HOUR);
    expect(await nights()).toEqual([iso(NIGHT + 7 * DAY)]);
  });

  test("for hours makes up for the latest hundred times of each minute", async () => {
    await make({ cron: "* * * * *", overlap: "allow" });
    await night.begin(FROM + 5 * HOUR);
    const made = await nights();
    expect(made).toHaveLength(100);
    expect(made.at(0)).toBe(iso(FROM + 5 * HOUR));
    expect(made.at(-1)).toBe(iso(FROM + 5 * HOUR - 99 * 60_000));
  });
});

describe("row 46: a clock that jumps", () => {
  test("over a night and back makes each night once", async () => {
    await make({ overlap: "allow" });
    await night.at(NIGHT + 10 * DAY + HOUR);
    await night.at(NIGHT - HOUR);
    for (let day = 0; day < 12; day++) await night.at(NIGHT + day * DAY);
    const made = await nights();
    const all = Array.from({ length: 12 }, (_, day) => iso(NIGHT + day * DAY));
    expect(made.toReversed()).toEqual(all);
    expect(night.made).toHaveLength(12);
    expect(await deliveries()).toHaveLength(36);
  });

  test("back over a night makes it no second time, also at a start", async () => {
    await make();
    await night.at(NIGHT);
    await night.at(NIGHT - 5 * 60_000);
    await night.at(NIGHT);
    await night.begin(NIGHT - 60_000);
    await night.at(NIGHT + 1);
    expect(night.made).toHaveLength(1);
    await night.at(NIGHT + DAY);
    expect(night.made).toHaveLength(2);
  });

  test("back and forth at random misses no night, and makes none twice", async () => {
    const random = new Random(46);
    await make({ catchUpMs: 2 * DAY });
    for (let day = 0; day < 6; day++) {
      for (let n = 0; n < 8; n++) await night.at(NIGHT + day * DAY + random.int(-3, 3) * HOUR);
      await night.at(NIGHT + day * DAY + HOUR);
    }
    expect((await nights()).toReversed()).toEqual(
      Array.from({ length: 6 }, (_, day) => iso(NIGHT + day * DAY)),
    );
    expect(night.made).toHaveLength(6);
  });
});

test("a client that is still busy with the night before is skipped, and others are not", async () => {
  await make();
  await night.at(NIGHT);
  const job = night.made[0]!;
  const [first] = await rows.listDownloads({ jobId: job.jobId, clientId: "site-000", limit: 1 });
  const limits = { total: 9, perClient: 9 };
  const claimed = await rows.claimDownload("site-000", job.jobId, limits, NIGHT);
  expect(claimed?.downloadId).toBe(first!.downloadId);
  // A day later, downloads of the first night that were only queued have expired.
  await night.at(NIGHT + DAY);
  const second = (await deliveries()).filter(({ localTime }) => localTime === iso(NIGHT + DAY));
  expect(second.map(({ clientId, status }) => [clientId, status])).toEqual([
    ["site-000", "skipped"],
    ["site-001", "expected"],
    ["site-002", "expected"],
  ]);
});

test("what a paused schedule misses is not made up for", async () => {
  await make();
  const paused = await rows.schedules.replace({ ...schedule, paused: "by_hand" });
  await night.at(NIGHT + HOUR);
  await rows.schedules.replace({ ...paused!, paused: null, since: NIGHT + 2 * HOUR });
  await night.at(NIGHT + 2 * HOUR);
  expect(await nights()).toEqual([]);
  await night.at(NIGHT + DAY);
  expect(await nights()).toEqual([iso(NIGHT + DAY)]);
});

test("two servers at the same rows make each night once", async () => {
  await make();
  const other = new Night(rows);
  await other.begin(FROM);
  for (let day = 0; day < 5; day++) {
    await Promise.all([night.at(NIGHT + day * DAY), other.at(NIGHT + day * DAY + 1)]);
  }
  const jobs = await rows.jobs.list({ limit: 100 });
  expect(jobs).toHaveLength(5);
  const all = await deliveries();
  expect(all).toHaveLength(15);
  for (const job of jobs) {
    expect((await rows.jobs.totals(job.jobId, null)).total).toBe(3);
    expect(all.filter(({ jobId }) => jobId === job.jobId)).toHaveLength(3);
  }
});

/**
 * Distance between the statements at which the server is killed: every third one, or each one with
 * FAULT_EFFORT=10.
 */
const STEPS = EFFORT >= 10 ? 1 : 3;

test("row 46: killed at any statement of a night, it makes that night once", async () => {
  let all = Infinity;
  let deaths = 0;
  for (let dies = 1; dies <= all; dies += STEPS) {
    for (const isDone of [false, true]) {
      await using own = await Rows.open();
      const { repository } = own;
      await addClients(repository, 3, ["UTC", "Asia/Tokyo"]);
      const one = scheduleOf({ since: FROM, catchUpMs: 12 * HOUR });
      await repository.schedules.insert(one);
      await new Night(repository).begin(FROM);
      const mortal = new Mortal(dies, isDone);
      const victim = new Night(mortal.of(repository));
      victim.now = NIGHT;
      await victim.clockwork.step(NIGHT).catch((error: unknown) => {
        if (!(error instanceof Killed)) throw error;
        deaths++;
      });
      if (dies > mortal.calls) all = mortal.calls;
      const next = new Night(repository);
      await repository.jobs.dropDrafts(NIGHT + 60_000);
      await next.begin(NIGHT + 60_000);
      const found = await repository.deliveries.list(
        one.scheduleId,
        { sites: null, limit: 99 },
        atOnce,
      );
      const jobs = await repository.jobs.list({ limit: 99 });
      const members = await Promise.all(
        jobs.map(async ({ jobId }) => (await repository.jobs.totals(jobId, null)).total),
      );
      const state = { dies, isDone, members: members.toSorted(), deliveries: found.length };
      expect(state).toEqual({ dies, isDone, members: [1, 2], deliveries: 3 });
      const ids = new Set(jobs.map(({ jobId }) => jobId));
      expect(found.every(({ jobId }) => ids.has(jobId!))).toBe(true);
    }
  }
  expect(deaths).toBeGreaterThan(5);
});
