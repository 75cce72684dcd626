import { expect, test } from "bun:test";
import { resultLine, resultLines } from "../../../lib/cli/terminal/pull-result.ts";
import { downloadRecord } from "../../support/records.ts";

/* The lines that report the result of a set. */

const unchanged = downloadRecord({
  status: "completed",
  kind: "set",
  file_path: null,
  paths: ["logs"],
  total_size: 0,
  files_total: 12,
  files_received: 0,
  files_unchanged: 12,
  files_skipped: 0,
  saved_path: "site-1/20260102_030405_logs",
  md5: "d41d8cd98f00b204e9800998ecf8427e",
  started_at: "2026-01-02T03:04:05.000Z",
  completed_at: "2026-01-02T03:04:05.400Z",
});

test("where nothing is new, it says so and no rate", () => {
  const [first] = resultLines(unchanged, "here", false);
  expect(first).toBe(`✓ ${unchanged.client_id}  nothing new, 12 files unchanged`);
  expect(resultLine(unchanged, false)).toEndWith("_logs  nothing new, 12 files unchanged");
});

test("what was skipped is told too", () => {
  const record = { ...unchanged, files_total: 13, files_skipped: 1 };
  expect(resultLine(record, false)).toEndWith("  nothing new, 12 files unchanged, 1 skipped");
});

test("where something is new, it says how much", () => {
  const record = { ...unchanged, files_received: 1, files_unchanged: 11, total_size: 4096 };
  const [first] = resultLines(record, "here", false);
  expect(first).toContain("12 files, 4.0 KiB in 0.4 s");
  expect(first).toEndWith("; 1 received, 11 unchanged");
});
