import { describe, expect, test } from "bun:test";
import { NONE } from "../../../lib/server/database/totals-sql.ts";
import type { Job, JobTotals } from "../../../lib/server/job.ts";
import { hasToStop, statusOf } from "../../../lib/server/jobs/status.ts";
import { startOf } from "../../../lib/server/jobs/spread.ts";
import { plainJob } from "../../support/jobs.ts";

const NOW = 1_700_000_000_000;

const job = plainJob({ createdAt: NOW, spreadFrom: NOW });

function totals(counts: Partial<JobTotals["counts"]>): JobTotals {
  const all = { ...NONE, ...counts };
  const total = Object.values(all).reduce((sum, count) => sum + count);
  const none = { bytesReceived: 0, totalSize: 0, filesReceived: 0, filesSkipped: 0 };
  return { total, counts: all, ...none };
}

describe("the status of a job", () => {
  const rerun = { statuses: ["failed" as const], before: "x" };
  const joinable = { membership: "continuous" as const, expiresAt: NOW + 1 };
  test.each<[string, Partial<Job>, Partial<JobTotals["counts"]>, Job["status"]]>([
    ["something waits", {}, { queued: 1, completed: 3 }, "running"],
    ["something runs", {}, { downloading: 1, failed: 3 }, "running"],
    ["something is verified", {}, { verifying: 1 }, "running"],
    ["all is there", {}, { completed: 3 }, "completed"],
    ["something failed", {}, { completed: 3, failed: 1 }, "failed"],
    ["something was cancelled", {}, { completed: 3, cancelled: 1 }, "failed"],
    ["it is paused, and something waits", { status: "paused" }, { queued: 1 }, "paused"],
    ["it is paused, and all is there", { status: "paused" }, { completed: 1 }, "completed"],
    ["it is cancelled", { status: "cancelled" }, { completed: 1 }, "cancelled"],
    ["it was stopped, and something runs", { status: "stopped" }, { downloading: 1 }, "stopped"],
    ["it had failed, and is asked again", { status: "failed" }, { queued: 1 }, "running"],
    ["it is to be asked again", { rerun }, { failed: 1 }, "running"],
    ["clients may still join", joinable, { completed: 1 }, "running"],
    ["clients may join, and none has", joinable, {}, "running"],
    ["none joined in time", { ...joinable, expiresAt: NOW }, {}, "completed"],
    ["no client may join any more", { ...joinable, expiresAt: NOW }, { failed: 1 }, "failed"],
  ])("where %s", (_, fields, counts, expected) => {
    expect(statusOf({ ...job, ...fields }, totals(counts), NOW)).toBe(expected);
  });

  test.each<[Partial<JobTotals["counts"]>, boolean]>([
    [{ failed: 3 }, false],
    [{ failed: 4 }, true],
    [{ failed: 2, completed: 2, queued: 90 }, true],
    [{ failed: 2, completed: 3 }, false],
    [{ failed: 2, completed: 1, cancelled: 9 }, false],
  ])("is stopped at half of 4 or more, with %p: %p", (counts, expected) => {
    const stopWhen = { failedPercent: 50, atLeast: 4 };
    expect(hasToStop({ ...job, stopWhen }, totals(counts))).toBe(expected);
    expect(hasToStop(job, totals(counts))).toBe(false);
    expect(hasToStop({ ...job, stopWhen, status: "cancelled" }, totals(counts))).toBe(false);
  });
});

test("starts are spread, at a client's own place in each job", () => {
  const spread = { spreadMs: 60_000, spreadFrom: NOW };
  const starts = Array.from({ length: 1_000 }, (_, n) => startOf(spread, `site-${n}`)! - NOW);
  for (const tenth of Array.from({ length: 10 }, (_, n) => n)) {
    const there = starts.filter((ms) => Math.floor(ms / 6_000) === tenth).length;
    expect(there).toBeWithin(60, 140);
  }
  const place = startOf(spread, "site-7")! - NOW;
  expect(startOf({ spreadMs: 120_000, spreadFrom: 0 }, "site-7")).toBeWithin(
    2 * place,
    2 * place + 2,
  );
  expect(startOf({ spreadMs: 0, spreadFrom: NOW }, "site-7")).toBeNull();
});
