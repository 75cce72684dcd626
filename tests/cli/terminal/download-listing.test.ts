import { describe, expect, test } from "bun:test";
import type { DownloadRecord } from "../../../lib/api/schemas.ts";
import {
  DOWNLOAD_COLUMNS,
  DOWNLOAD_FIELDS,
  LIVE_DOWNLOAD_COLUMNS,
  problemOf,
} from "../../../lib/cli/terminal/download-listing.ts";
import { listingLines, listingTable } from "../../../lib/cli/terminal/listing.ts";
import { downloadRecord } from "../../support/records.ts";

const running = downloadRecord({
  status: "downloading",
  total_size: 100 * 1024 ** 2,
  bytes_received: 1024 ** 2,
  percent: 1,
  bytes_per_second: 12.3 * 1024 ** 2,
  eta_seconds: 8,
});
const failed = downloadRecord({
  status: "failed",
  file_path: "logs/2026/kitchen.log",
  error: 'the client has no file "logs/2026/kitchen.log"',
  error_code: "file_not_found",
});
const longNamed = downloadRecord({ ...running, client_id: `${"x".repeat(60)}-001` });

const at80 = (columns: typeof DOWNLOAD_COLUMNS, records: DownloadRecord[]) =>
  listingTable(columns, records, 80, false, problemOf);

describe.each([
  ["a list", DOWNLOAD_COLUMNS, /^download +client +status +done +size +file$/],
  ["a live list", LIVE_DOWNLOAD_COLUMNS, /^download +client +status +done +rate +file$/],
])("%s at 80 columns", (_, columns, titles) => {
  test("shows which file it is, and how to name the download", () => {
    const [first = "", second = ""] = at80(columns, [running]);
    expect(first).toMatch(titles);
    expect(second).toMatch(/^01a207d4-bffb-7022 +restaurant-001 +downloading .+download\.txt$/);
  });

  test("shows the same beside a name of 64 characters, which keeps its end", () => {
    const lines = at80(columns, [longNamed, running]);
    expect(lines[0]).toMatch(titles);
    expect(lines[1]).toMatch(/ …x+-001 +downloading .+download\.txt$/);
    for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(80);
  });

  test("says why one failed, and nothing of the others", () => {
    const lines = at80(columns, [running, failed]);
    expect(lines.slice(3)).toEqual([
      '  ↳ file_not_found: the client has no file "logs/2026/kitchen.log"',
    ]);
  });

  test("cuts a long reason, and takes no orders from it", () => {
    const error = `${"x".repeat(100)}`;
    const lines = at80(columns, [
      downloadRecord({ ...failed, error }),
      downloadRecord({ ...failed, error: "a\x1b[2J\nb" }),
    ]);
    expect(lines[2]).toMatch(/^ {2}↳ file_not_found: x+…$/);
    expect(lines[4]).toBe("  ↳ file_not_found: ab");
    expect(Math.max(...lines.map((line) => Bun.stringWidth(line)))).toBeLessThanOrEqual(80);
  });
});

test("what one waits for is said too", () => {
  expect(problemOf(downloadRecord({ error: "no room" }))).toBe("no room");
  expect(problemOf(running)).toBeNull();
});

test("a script gets the code and the words after all else", () => {
  const [line = ""] = listingLines(DOWNLOAD_FIELDS, [failed]);
  expect(line.split("\t").slice(-9)).toEqual([
    "logs/2026/kitchen.log",
    "file_not_found",
    'the client has no file "logs/2026/kitchen.log"',
    ...Array(6).fill(""),
  ]);
});

describe("a set", () => {
  const set = downloadRecord({
    kind: "set",
    file_path: null,
    paths: Array.from({ length: 100 }, (_, n) => `${n}${"é".repeat(1_000)}`),
    files_total: 62,
    files_received: 40,
    files_unchanged: 2,
    files_skipped: 1,
  });

  test("is named by its first patterns and its files, which keep their place", () => {
    const [, line = "", detail] = at80(DOWNLOAD_COLUMNS, [set]);
    expect(line).toEndWith("  …more (43/62)");
    expect(detail).toBe("  ↳ 1 of 62 files skipped: fds files 01a207d4-bffb-7022 --status skipped");
    expect(Bun.stringWidth(line)).toBeLessThanOrEqual(80);
  });

  test("says which patterns match nothing, the first of them", () => {
    const unmatched_paths = ["no\u001b*", "x".repeat(100), "c", "d", "e"];
    const words = problemOf({ ...set, unmatched_paths, files_skipped: 0 });
    expect(words).toBe(`no file matches "no\\u001b*", "${"x".repeat(60)}…", "c" and 2 more`);
    expect(problemOf({ ...set, unmatched_paths: ["a"] })).toMatch(
      /^1 of 62 files skipped: .*; no file matches "a"$/,
    );
  });

  test("that is not listed yet has no files", () => {
    const unlisted = downloadRecord({ kind: "set", file_path: null, paths: ["logs/", "*.csv"] });
    const [, line = ""] = at80(DOWNLOAD_COLUMNS, [unlisted]);
    expect(line).toEndWith(" logs/ *.csv");
  });
});
