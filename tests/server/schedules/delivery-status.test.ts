import { describe, expect, test } from "bun:test";
import type { AskedDownload, Delivery } from "../../../lib/server/schedule.ts";
import { stateOf } from "../../../lib/server/schedules/delivery-status.ts";
import { dueAt } from "../../../lib/server/schedules/due.ts";

const DUE = 1_700_000_000_000;
const MIB = 1024 * 1024;

const delivery: Delivery = {
  scheduleId: "s",
  clientId: "site-1",
  localTime: "2023-11-14T21:13:20",
  timeZone: "UTC",
  scheduledAt: DUE - 3_600_000,
  dueAt: DUE,
  jobId: "j",
  status: "expected",
  downloadId: null,
  files: 0,
  bytes: 0,
  revision: 1,
};

const file: AskedDownload = {
  downloadId: "d",
  status: "completed",
  completedAt: DUE,
  hasContent: true,
  isSet: false,
  totalSize: MIB,
  filesReceived: 0,
  filesUnchanged: 0,
  filesSkipped: 0,
};
const set: AskedDownload = { ...file, isSet: true, filesReceived: 3 };

const judge = (
  download: AskedDownload | null,
  { now = DUE - 1, expected = {}, before = {} } = {},
  bytes = MIB,
) => {
  const wanted = { files: 1, bytes: 0, ...expected };
  return stateOf({ delivery: { ...delivery, ...before }, download }, bytes, wanted, now);
};

describe("what nothing came of", () => {
  test.each<[string, AskedDownload | null, string, string]>([
    ["no download is made", null, "expected", "missing"],
    ["it waits", { ...file, status: "queued" }, "expected", "missing"],
    ["it runs", { ...file, status: "downloading" }, "running", "missing"],
    ["it is verified", { ...file, status: "verifying" }, "running", "missing"],
    ["it failed", { ...file, status: "failed" }, "expected", "missing"],
    ["it was cancelled", { ...file, status: "cancelled" }, "expected", "missing"],
    [
      "it completed with nothing",
      { ...set, hasContent: false, filesReceived: 0 },
      "expected",
      "missing",
    ],
  ])("where %s", (_, download, before, after) => {
    expect(judge(download)).toMatchObject({ status: before, files: 0, bytes: 0 });
    expect(judge(download, { now: DUE })).toMatchObject({ status: after });
  });

  test("is never received, whatever is expected", () => {
    const nothing = { ...set, hasContent: false, filesReceived: 0 };
    const expected = { files: 0, bytes: 0 };
    expect(judge(nothing, { now: DUE, expected })).toMatchObject({ status: "missing" });
  });
});

describe("what came", () => {
  test.each<[string, AskedDownload, object, string, number]>([
    ["in time", file, {}, "received", 1],
    ["too late", { ...file, completedAt: DUE + 1 }, {}, "late", 1],
    ["with all files", set, { files: 3, bytes: MIB }, "received", 3],
    ["with fewer files", set, { files: 4 }, "partial", 3],
    ["with fewer bytes", set, { bytes: MIB + 1 }, "partial", 3],
    [
      "with unchanged files",
      { ...set, filesReceived: 0, filesUnchanged: 4 },
      { files: 4 },
      "received",
      4,
    ],
    ["with a file that was skipped", { ...set, filesSkipped: 1 }, {}, "partial", 3],
    ["late, with too few", { ...set, completedAt: DUE + 1 }, { files: 9 }, "partial", 3],
    ["empty", { ...file, totalSize: 0 }, {}, "received", 1],
  ])("%s", (_, download, expected, status, files) => {
    expect(judge(download, { expected, now: DUE + 5 })).toMatchObject({
      status,
      files,
      downloadId: "d",
    });
  });

  test("stays, and only gets better", () => {
    const came = { files: 2, bytes: 5, downloadId: "first" };
    const received = { ...came, status: "received" };
    const late = { ...came, status: "late" };
    const partial = { ...came, status: "partial" };
    const running = { ...file, status: "downloading" as const };
    for (const before of [received, late, partial]) {
      expect(judge(running, { before, now: DUE + 1 })).toMatchObject(before);
      expect(judge(null, { before, now: DUE + 1 })).toMatchObject(before);
    }
    expect(judge({ ...file, completedAt: DUE + 1 }, { before: received })).toMatchObject(received);
    expect(judge(file, { before: late })).toMatchObject({ status: "received", downloadId: "d" });
    expect(judge({ ...file, completedAt: DUE + 1 }, { before: partial })).toMatchObject({
      status: "late",
    });
    const more = { ...set, filesSkipped: 1 };
    expect(judge(more, { before: partial })).toMatchObject({ status: "partial", files: 3 });
    expect(judge({ ...more, filesReceived: 1 }, { before: partial })).toMatchObject(partial);
  });

  test("nobody asked for what was skipped", () => {
    const before = { jobId: null, status: "skipped" };
    expect(judge(null, { before, now: DUE + 1 })).toMatchObject({ status: "skipped" });
  });
});

test.each<[string, string, string, { afterMs: number } | { at: string }, string]>([
  [
    "2026-11-30T02:30:00",
    "UTC",
    "2026-11-30T02:30:00Z",
    { afterMs: 60_000 },
    "2026-11-30T02:31:00Z",
  ],
  [
    "2026-11-30T02:30:00",
    "Asia/Tokyo",
    "2026-11-29T17:30:00Z",
    { at: "04:00" },
    "2026-11-29T19:00:00Z",
  ],
  // A time of day that has already come on that day is due on the next day.
  ["2026-11-30T22:30:00", "UTC", "2026-11-30T22:30:00Z", { at: "04:00" }, "2026-12-01T04:00:00Z"],
  ["2026-11-30T04:00:00", "UTC", "2026-11-30T04:00:00Z", { at: "04:00" }, "2026-12-01T04:00:00Z"],
  // In these three rows, New York's clocks go forward between the schedule's time and the due time, forward
  // at both, and back between them.
  [
    "2026-03-08T01:30:00",
    "America/New_York",
    "2026-03-08T06:30:00Z",
    { at: "04:00" },
    "2026-03-08T08:00:00Z",
  ],
  [
    "2026-03-08T02:30:00",
    "America/New_York",
    "2026-03-08T07:30:00Z",
    { at: "03:00" },
    "2026-03-08T08:00:00Z",
  ],
  [
    "2026-11-01T00:30:00",
    "America/New_York",
    "2026-11-01T04:30:00Z",
    { at: "04:00" },
    "2026-11-01T09:00:00Z",
  ],
])(
  "what is asked for at %s in %s (%s), due %p, is due at %s",
  (localTime, timeZone, at, due, expected) => {
    const moment = dueAt(due, { localTime, timeZone, at: Date.parse(at) });
    expect(new Date(moment).toISOString()).toBe(new Date(expected).toISOString());
  },
);
