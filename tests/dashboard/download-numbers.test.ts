import { expect, test } from "bun:test";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { numbersOf } from "../../lib/dashboard/download-numbers.ts";
import { downloadRecord } from "../support/records.ts";

const MIB = 1024 * 1024;
const half: Partial<DownloadRecord> = { total_size: 4 * MIB, bytes_received: 2 * MIB };
const whole: Partial<DownloadRecord> = {
  status: "completed",
  total_size: 4 * MIB,
  bytes_received: 4 * MIB,
  bytes_on_wire: 4 * MIB,
  started_at: "2026-11-23T12:00:00.000Z",
  completed_at: "2026-11-23T12:00:02.000Z",
  bytes_per_second: 2 * MIB,
};
const set: Partial<DownloadRecord> = {
  kind: "set",
  files_total: 1200,
  files_received: 0,
  files_unchanged: 0,
  files_skipped: 0,
};

test.each<[words: string, fields: Partial<DownloadRecord>]>([
  ["Waits for its turn", { status: "queued" }],
  ["2.0 MiB of 4.0 MiB · Waits for its turn · 3 attempts", { ...half, attempts: 3 }],
  ["", { status: "downloading" }],
  ["2.0 MiB of 4.0 MiB", { ...half, status: "downloading" }],
  [
    "2.0 MiB of 4.0 MiB · 1.0 MiB/s · 3.0 MiB/s at most · 2 s left · 2 attempts",
    {
      ...half,
      status: "downloading",
      bytes_per_second: MIB,
      rate_limit: 3 * MIB,
      eta_seconds: 2,
      attempts: 2,
    },
  ],
  ["4.0 MiB of 4.0 MiB", { ...whole, status: "verifying", bytes_per_second: null }],
  ["4.0 MiB · in 2 s · 2.0 MiB/s", whole],
  ["4.0 MiB · in 2 s · 2.0 MiB/s · 1.0 MiB on the wire", { ...whole, bytes_on_wire: MIB }],
  ["2.0 MiB of 4.0 MiB · 4 attempts", { ...half, status: "failed", attempts: 4 }],
  ["", { status: "failed", attempts: 1 }],
  ["2.0 MiB of 4.0 MiB", { ...half, status: "cancelled" }],
  [
    "3 of 1,200 files · 2.0 MiB of 4.0 MiB",
    { ...half, ...set, status: "downloading", files_received: 3 },
  ],
  [
    "1,200 files · 100 unchanged · 2 skipped · 4.0 MiB · in 2 s · 2.0 MiB/s",
    { ...whole, ...set, files_received: 1098, files_unchanged: 100, files_skipped: 2 },
  ],
  [
    '1,200 files · no file matches "a-[U+202E]*", "b" · 4.0 MiB · in 2 s · 2.0 MiB/s',
    { ...whole, ...set, files_received: 1200, unmatched_paths: ["a-\u202E*", "b"] },
  ],
])("%p", (words, fields) => {
  expect(numbersOf(downloadRecord(fields), true)).toBe(words);
});

test("a download waits for a site that is away", () => {
  expect(numbersOf(downloadRecord(), false)).toBe("Waits for its site to connect");
});
