import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DownloadRecord } from "../../../lib/api/schemas.ts";
import { verifyAll } from "../../../lib/cli/demo/results.ts";
import { downloadRecord } from "../../support/records.ts";

const SIZE = 3 * 1024 ** 2;
const bytes = Buffer.alloc(SIZE, "x");
const md5 = Bun.MD5.hash(bytes, "hex");

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-results-"));
  await mkdir(join(folder, "downloads"));
  const lines = ["restaurant-001", "restaurant-002"].map(
    (id) => `${md5}  test-files/${id}/file_to_download.txt\n`,
  );
  await writeFile(join(folder, "checksums.txt"), lines.join(""));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function completedRecord(client_id: string, saved: Uint8Array): Promise<DownloadRecord> {
  await writeFile(join(folder, "downloads", client_id), saved);
  return downloadRecord({
    client_id,
    status: "completed",
    total_size: SIZE,
    started_at: "2026-01-02T03:04:05.000Z",
    completed_at: "2026-01-02T03:04:06.500Z",
    md5,
    saved_path: client_id,
  });
}

/** Prints the results of these downloads. @returns what was written, and the error, if one was thrown */
async function verify(records: DownloadRecord[], live = false) {
  const written: string[] = [];
  const terminal = {
    write: (text: string) => written.push(text),
    live,
    colour: false,
    columns: () => 80,
    rows: () => 24,
  };
  const { signal } = new AbortController();
  const error = await verifyAll(folder, join(folder, "downloads"), records, terminal, signal).then(
    () => null,
    (thrown: Error) => thrown.message,
  );
  return { lines: written.join("").split("\n").filter(Boolean), error };
}

test("the table of files that all arrived", async () => {
  const records = [
    await completedRecord("restaurant-001", bytes),
    await completedRecord("restaurant-002", bytes),
  ];
  const { lines, error } = await verify(records);
  expect(error).toBeNull();
  expect(lines).toEqual([
    "client             size  seconds  MiB/s  MD5                               verdict",
    `restaurant-001  3.0 MiB     1.50    2.0  ${md5}  ✓ verified`,
    `restaurant-002  3.0 MiB     1.50    2.0  ${md5}  ✓ verified`,
    "✓ all 2 files arrived whole  6.0 MiB in 1.5 s, 4.0 MiB/s",
  ]);
});

test("the table fits a terminal of 80 columns: the MD5 is cut", async () => {
  const record = await completedRecord("restaurant-001", bytes);
  const { lines } = await verify([{ ...record, total_size: 100 * 1024 ** 2 }], true);
  expect(lines.map((line) => Bun.stringWidth(line) <= 80)).toEqual([true, true, true]);
  expect(lines[1]).toMatch(/^restaurant-001 {2}100\.0 MiB .* …[0-9a-f]{20,} {2}✓ verified$/);
});

test("whatever did not arrive fails, and is named with its reason", async () => {
  const damaged = await completedRecord("restaurant-001", Buffer.alloc(SIZE, "y"));
  const failed = downloadRecord({
    client_id: "restaurant-002",
    status: "failed",
    error: "the file is gone",
  });
  const { lines, error } = await verify([damaged, failed]);
  expect(lines.slice(1)).toEqual([
    `restaurant-001  3.0 MiB     1.50    2.0  ${md5}  ✗ wrong`,
    "restaurant-002        –        –      –  –                                 ✗ wrong",
  ]);
  expect(error).toMatch(
    /^restaurant-001: the MD5 of .*; restaurant-002: failed: the file is gone$/,
  );
});
