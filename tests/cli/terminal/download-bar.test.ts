import { expect, test } from "bun:test";
import type { DownloadRecord } from "../../../lib/api/schemas.ts";
import { barOf, totalBarOf } from "../../../lib/cli/terminal/download-bar.ts";
import { downloadRecord } from "../../support/records.ts";

test("a bar shows what the record tells", () => {
  const record = downloadRecord({ status: "downloading", bytes_received: 40, total_size: 100 });
  expect(barOf({ ...record, bytes_per_second: 20, eta_seconds: 3 })).toEqual({
    label: "restaurant-001",
    done: 40,
    total: 100,
    bytesPerSecond: 20,
    etaSeconds: 3,
    note: null,
    tone: "active",
  });
});

test.each<[DownloadRecord["status"], number | null, string | null, string]>([
  ["queued", null, "queued", "active"],
  ["downloading", null, "starting", "active"],
  ["downloading", 0, null, "active"],
  ["verifying", 1, "verifying", "active"],
  ["completed", 1, "completed", "good"],
  ["failed", 1, "failed", "bad"],
  ["cancelled", null, "cancelled", "bad"],
])("%s (of %p bytes) is shown as %p, %s", (status, total_size, note, tone) => {
  expect(barOf(downloadRecord({ status, total_size }))).toMatchObject({ note, tone });
});

test("one bar for many sums them up, by their shares until all sizes are known", () => {
  const half = downloadRecord({
    status: "downloading",
    bytes_received: 50,
    total_size: 100,
    percent: 50,
    bytes_per_second: 10,
  });
  const done = downloadRecord({
    status: "completed",
    bytes_received: 300,
    total_size: 300,
    percent: 100,
    bytes_per_second: 99,
  });
  const failed = downloadRecord({ status: "failed", bytes_received: 0, percent: null });
  const begun = { done: 350, bytesPerSecond: 10, note: null, tone: "active" } as const;
  expect(totalBarOf([half, done], 4)).toEqual({
    ...begun,
    label: "1 of 4",
    total: null,
    share: 0.375,
    etaSeconds: null,
  });
  expect(totalBarOf([half, done], 2)).toMatchObject({ ...begun, total: 400, etaSeconds: 5 });
  expect(totalBarOf([half, done, failed], 3)).toMatchObject({
    label: "2 of 3",
    total: 400,
    note: "1 failed",
    tone: "bad",
  });
  expect(totalBarOf([done, done], 2)).toMatchObject({
    label: "2 of 2",
    bytesPerSecond: null,
    note: "completed",
    tone: "good",
  });
  expect(totalBarOf([failed], 1)).toMatchObject({ label: "1 of 1", share: 1, note: "1 failed" });
  const cancelled: DownloadRecord = { ...failed, status: "cancelled" };
  const both = [failed, cancelled, cancelled, done];
  expect(totalBarOf(both, 4)).toMatchObject({ note: "1 failed, 2 cancelled", tone: "bad" });
});

test("the bar of a set says that it is listed, and then how many files there are", () => {
  const set = downloadRecord({ kind: "set", status: "downloading", paths: ["logs/"] });
  expect(barOf(set)).toMatchObject({ note: "listing", total: null });
  const listed = { ...set, total_size: 9, files_total: 5, files_received: 2 };
  const bar = barOf({ ...listed, files_unchanged: 1, files_skipped: 0 });
  expect(bar).toMatchObject({ note: null, total: 9, files: { done: 3, total: 5 } });
});

test("bars of a paused job say so of what waits, and how it goes on", () => {
  const waiting = downloadRecord({ error: "The client is not connected" });
  const bar = barOf(waiting, true);
  expect(bar).toMatchObject({ note: "paused", tone: "active" });
  expect(bar.reason).toBeUndefined();
  const running = downloadRecord({ status: "downloading", total_size: 9 });
  expect(barOf(running, true).note).toBeNull();
  const id = "01a207cb-c51f-72fa-98fc-75e155ad317a";
  const reason = "until fds job 01a207cb-c51f-72fa resume";
  expect(totalBarOf([running, waiting], 2, id)).toMatchObject({ note: "paused", reason });
  const failed = downloadRecord({ status: "failed" });
  expect(totalBarOf([failed, waiting], 2, id)).toMatchObject({ note: "paused", tone: "bad" });
  expect(totalBarOf([failed], 1, id).reason).toBeUndefined();
});

test("a bar says what a download waits for, and leaves why it failed to the end", () => {
  const error = "the disk would fall below MIN_FREE_DISK";
  expect(barOf(downloadRecord({ error }))).toMatchObject({ note: "queued", reason: error });
  expect(barOf(downloadRecord({ status: "failed", error })).reason).toBeUndefined();
});
