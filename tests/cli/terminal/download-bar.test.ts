import { expect, test } from "bun:test";
import type { DownloadRecord } from "../../../lib/api/schemas.ts";
import { barOf } from "../../../lib/cli/terminal/download-bar.ts";
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
