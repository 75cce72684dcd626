import { describe, expect, test } from "bun:test";
import type { JobRecord } from "../../lib/api/jobs.ts";
import { JobBook } from "../../lib/dashboard/jobs/job-book.ts";
import * as words from "../../lib/dashboard/jobs/job-words.ts";
import { jobRecord } from "../support/records.ts";

const NOW = Date.parse("2026-02-01T12:00:00.000Z");

test("those that go on come first, each newest first", () => {
  const book = new JobBook();
  for (const [job_id, status] of [
    ["1", "completed"],
    ["2", "paused"],
    ["4", "failed"],
    ["3", "running"],
  ] as const) {
    book.set(jobRecord({ job_id, status }));
  }
  const order = () => book.inOrder().map(({ job_id }) => job_id);
  expect(order()).toEqual(["3", "2", "4", "1"]);
  expect([book.unfinished.length, book.size]).toEqual([2, 4]);
  book.set(jobRecord({ job_id: "3", status: "cancelled" }));
  expect(order()).toEqual(["2", "4", "3", "1"]);
});

describe("a job in words", () => {
  test.each<[Partial<JobRecord>, string]>([
    [{ clients: { all: true } }, "all sites"],
    [{ clients: { labels: "region=west" } }, "region=west"],
    [{ clients: { ids: ["a", "b"] } }, "a, b"],
    [{ clients: { ids: ["a", "b", "c", "d"] } }, "a, b and 2 more"],
    [{ clients: { ids: ["a*"], labels: "!closed" } }, "a* with !closed"],
    [{ clients: { ids: [] } }, "some sites"],
    [{ membership: "continuous" }, "all sites, also later ones"],
  ])("%p is for %p", (job, expected) => {
    expect(words.whoOf(jobRecord(job))).toBe(expected);
  });

  test.each<[Partial<JobRecord>, string]>([
    [{ name: "Night\u202E" }, "Night[U+202E]"],
    [{ download: { file_path: "a.txt" } }, "a.txt"],
    [{ download: { paths: ["a/*", "b/", "c"] } }, "a/*, b/ and 1 more"],
    [{ download: {} }, "its usual file"],
  ])("%p is called %p", (job, expected) => {
    expect(words.titleOf(jobRecord(job))).toBe(expected);
  });

  test("its counts are told where there are any, in one order", () => {
    const job = jobRecord({ total: 1320 }, { queued: 8, completed: 1300, failed: 12 });
    expect(words.countsOf(job).map((count) => count.words)).toEqual([
      "1,300 completed",
      "12 failed",
      "8 queued",
    ]);
    expect(words.percentOf(job)).toBe(99);
    expect(words.percentOf(jobRecord({ total: 0 }))).toBe(0);
  });

  test.each<[Partial<JobRecord>, Partial<JobRecord["counts"]>, string | null]>([
    [{}, { completed: 1 }, null],
    [{}, { failed: 1, cancelled: 2 }, "failed"],
    [{}, { cancelled: 2 }, "cancelled"],
    [{ expires_at: "2026-02-01T12:00:00.000Z" }, { failed: 1 }, null],
    [{ expires_at: "2026-02-01T12:00:01.000Z" }, { failed: 1 }, "failed"],
  ])("of %p with %p can be asked again: %p", (job, counts, expected) => {
    expect(words.rerunStatusOf(jobRecord(job, counts), NOW)).toBe(expected as never);
  });
});
