import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import type { Job, JobRows, JobTotals } from "../../../lib/server/job.ts";
import { JobWatch } from "../../../lib/server/jobs/watch.ts";
import { Logger } from "../../../lib/util/logger.ts";

/* How often changes of a job are reported, on a fake clock. */

const NOW = 1_700_000_000_000;
const MOST_A_SECOND = 4;

/** The number of running downloads of each job. */
let downloading: number;
/** The numbers of each job's other downloads. */
let counts: Omit<JobTotals["counts"], "downloading">;
/** Condition on which a job stops by itself. */
let stopWhen: Job["stopWhen"];
/** The number of next reads of a job's row that fail. */
let failures: number;
/** Statuses that were recorded. */
let recorded: Job["status"][];
/** The times at which each job was reported, in ms since the start of the test. */
let told: Map<string, number[]>;
let watch: JobWatch;

beforeEach(() => {
  jest.useFakeTimers();
  jest.setSystemTime(NOW);
  [downloading, told] = [0, new Map()];
  [stopWhen, failures, recorded] = [null, 0, []];
  counts = { queued: 5, verifying: 0, completed: 0, failed: 0, cancelled: 0 };
  const rows: Partial<JobRows> = {
    get: async (jobId) => {
      if (failures-- > 0) throw new Error("the database is busy");
      return { jobId, status: recorded.at(-1) ?? "running", stopWhen } as Job;
    },
    replace: async (job) => {
      recorded.push(job.status);
      return job;
    },
    totals: async () => ({ total: 5, counts: { ...counts, downloading } }) as JobTotals,
  };
  watch = new JobWatch({
    rows: rows as JobRows,
    settle: async () => undefined,
    wake: () => undefined,
    onChange: ({ jobId }) => told.set(jobId, [...(told.get(jobId) ?? []), Date.now() - NOW]),
    logger: new Logger({ level: "error", format: "json", write: () => undefined }),
  });
});
afterEach(() => {
  watch.stop();
  jest.useRealTimers();
});

/** Lets pending promises settle, without advancing the fake clock. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

async function pass(ms: number): Promise<void> {
  jest.advanceTimersByTime(ms);
  await settle();
}

/** Returns the largest number of reports of a job within one second. */
function mostInASecond(jobId: string): number {
  const times = told.get(jobId) ?? [];
  const within = times.map((from) => times.filter((at) => at >= from && at < from + 1_000).length);
  return Math.max(0, ...within);
}

describe("a job is told of", () => {
  test.each([
    ["a change each millisecond", 1, false],
    ["failures among them", 1, true],
    ["a change each 100 ms", 100, false],
    ["a failure each 50 ms", 50, true],
  ])("at most four times a second: %s", async (_, every, hasFailed) => {
    for (let at = 0; at < 5_000; at += every) {
      const failedAt = hasFailed ? performance.now() : -Infinity;
      for (const jobId of ["a", "b"]) watch.downloadChanged(jobId, { failedAt });
      await pass(every);
    }
    for (const jobId of ["a", "b"]) expect(mostInASecond(jobId)).toBe(MOST_A_SECOND);
  });

  test("at once, and of its last change too", async () => {
    watch.downloadChanged("a");
    await settle();
    expect(told.get("a")).toEqual([0]);
    for (const ms of [10, 10, 10]) {
      watch.downloadChanged("a");
      await pass(ms);
    }
    await pass(219);
    expect(told.get("a")).toEqual([0]);
    await pass(1);
    expect(told.get("a")).toEqual([0, 250]);
    await pass(60_000);
    expect(told.get("a")).toHaveLength(2);
  });

  test("once a second while bytes flow", async () => {
    downloading = 1;
    watch.downloadChanged("a");
    await settle();
    for (let ms = 0; ms < 3_000; ms += 10) await pass(10);
    expect(told.get("a")).toEqual([0, 1_000, 2_000, 3_000]);
  });
});

test("a failure that could not be judged is judged by the next check", async () => {
  stopWhen = { atLeast: 1, failedPercent: 10 };
  failures = 1;
  counts.failed = 1;
  watch.downloadChanged("a", { failedAt: performance.now() });
  await settle();
  expect(recorded).toEqual([]);
  await pass(5_000);
  expect(recorded).toEqual(["stopped"]);
});

test("a reopened job is stopped by what fails from then on only", async () => {
  stopWhen = { atLeast: 1, failedPercent: 10 };
  counts.failed = 1;
  const before = performance.now();
  watch.forgetFailures("a");
  watch.downloadChanged("a", { failedAt: before });
  await pass(5_000);
  expect(recorded).toEqual([]);
  watch.downloadChanged("a", { failedAt: performance.now() });
  await settle();
  expect(recorded).toEqual(["stopped"]);
});
