import { afterEach, beforeEach, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import type { Repository } from "../../../lib/server/database/repository.ts";
import type { Schedule } from "../../../lib/server/schedule.ts";
import { type Run, RequestedRuns } from "../../../lib/server/schedules/running.ts";
import { atOnce } from "../../../lib/util/fair-turns.ts";
import { EFFORT } from "../../faults/effort.ts";
import { TEST_LIMIT } from "../../support/wait.ts";
import { Killed, Mortal } from "./mortal.ts";
import { addClients, Night, Rows, scheduleOf } from "./stage.ts";

setDefaultTimeout(TEST_LIMIT);

/* Runs of schedules by request, outside of their times. */

const DAY = 86_400_000;
const FROM = Date.parse("2026-06-01T12:00:00Z");
const NIGHT = Date.parse("2026-06-02T02:30:00Z");
/** Two days after NIGHT, in ms since 1970. The jobs of that night have expired by then. */
const NOW = NIGHT + 2 * DAY;
const ALL: Run = { clientIds: null, localTime: null, sites: null };

let store: Rows;
let rows: Repository;
let schedule: Schedule;

const open = async () => {
  store = await Rows.open();
  rows = store.repository;
  await addClients(rows, 3, ["UTC", "Asia/Tokyo"]);
  schedule = scheduleOf({ since: FROM });
  await rows.schedules.insert(schedule);
};
beforeEach(open);
afterEach(() => store[Symbol.asyncDispose]());

/** A server that runs schedules by request. */
const serverOf = (repository: Repository): RequestedRuns => {
  const { occurrences } = new Night(repository);
  return new RequestedRuns({ repository, occurrences });
};
const deliveries = () =>
  rows.deliveries.list(schedule.scheduleId, { sites: null, limit: 99 }, atOnce);
const membersOfJobs = async () => {
  const jobs = await rows.jobs.list({ limit: 99 });
  const ids = jobs.map(({ jobId }) => jobId);
  const totals = await Promise.all(ids.map((jobId) => rows.jobs.totals(jobId, null)));
  return new Map(totals.map(({ total }, index) => [ids[index]!, total]));
};

test("asked twice at once, it asks each client once", async () => {
  const server = serverOf(rows);
  // The two runs are one second apart, so that they have different local times.
  const both = [server.run(schedule, ALL, NOW), server.run(schedule, ALL, NOW + 1_000)];
  const [first, second] = await Promise.allSettled(both);
  expect(first).toMatchObject({ status: "fulfilled", value: [{ total: 2 }, { total: 1 }] });
  expect(second).toMatchObject({ status: "rejected", reason: { code: "invalid_request" } });
  expect(await deliveries()).toHaveLength(3);
  expect([...(await membersOfJobs()).values()].toSorted()).toEqual([1, 2]);
  expect(await rows.schedules.listRuns()).toEqual([]);
});

/**
 * Distance between the statements at which the server is killed: every fifth one, or each one with
 * FAULT_EFFORT=10.
 */
const STEPS = EFFORT >= 10 ? 1 : 5;

test.each<[string, Run]>([
  ["now", ALL],
  ["for a night that was", { ...ALL, localTime: "2026-06-02T02:30:00" }],
])(
  "row 46: killed at any statement of a run %s, it asks for all of it or nothing",
  async (_, run) => {
    let all = Infinity;
    const ends = new Set<number>();
    for (let dies = 1; dies <= all; dies += STEPS) {
      for (const isDone of [false, true]) {
        await store[Symbol.asyncDispose]();
        await open();
        if (run.localTime !== null) {
          const night = new Night(rows);
          await night.begin(FROM);
          // The schedule's local time comes 9 hours earlier in Tokyo than in UTC.
          await night.at(NIGHT - 9 * 3_600_000);
          await night.at(NIGHT);
        }
        const before = (await membersOfJobs()).size;
        const mortal = new Mortal(dies, isDone);
        const died = await serverOf(mortal.of(rows))
          .run(schedule, run, NOW)
          .then(
            () => false,
            (error: unknown) => error instanceof Killed,
          );
        if (!died) all = mortal.calls;
        await rows.jobs.dropDrafts(NOW + 60_000);
        await serverOf(rows).takeUp(NOW + 60_000);

        const found = await deliveries();
        const jobs = await membersOfJobs();
        const made = jobs.size - before;
        ends.add(made);
        const state = { dies, isDone, made, promised: await rows.schedules.listRuns() };
        expect(state).toEqual({ dies, isDone, made: made === 0 ? 0 : 2, promised: [] });
        expect(found).toHaveLength(made === 0 && before === 0 ? 0 : 3);
        for (const { jobId } of found) {
          const asked = found.filter((one) => one.jobId === jobId).length;
          expect({ ...state, asked }).toEqual({ ...state, asked: jobs.get(jobId!) ?? -1 });
        }
      }
    }
    expect([...ends].toSorted()).toEqual([0, 2]);
  },
);

test("asked again as a delivery is judged, it asks all the same", async () => {
  const server = serverOf(rows);
  const [first] = await server.run(schedule, { ...ALL, clientIds: ["site-001"] }, NOW);
  const { askAgain } = rows.deliveries;
  let judged = 0;
  const spy = spyOn(rows.deliveries, "askAgain").mockImplementation(async (delivery, jobId) => {
    // Once, the delivery changes after the server has read it, so the server has to read it again.
    if (judged++ === 0) await askAgain.call(rows.deliveries, delivery, delivery.jobId ?? "");
    return askAgain.call(rows.deliveries, delivery, jobId);
  });
  const again: Run = { ...ALL, clientIds: ["site-001"], localTime: first!.localTime };
  expect(await server.run(schedule, again, NOW + 2 * DAY)).toMatchObject([{ total: 1 }]);
  spy.mockRestore();
  expect(judged).toBe(2);
  expect(await deliveries()).toHaveLength(1);
});
