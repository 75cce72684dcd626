import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DownloadRecord } from "../../../lib/api/schemas.ts";
import { problemOfSavedFile } from "../../../lib/cli/verify/saved-file.ts";
import { downloadRecord } from "../../support/records.ts";

const md5 = Bun.MD5.hash("bytes", "hex");
const other = Bun.MD5.hash("other bytes", "hex");
const saved_path = "restaurant-001/20260102_030405_file_to_download.txt";
const completed = downloadRecord({ status: "completed", md5, saved_path });
const signal = new AbortController().signal;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-saved-"));
  await mkdir(join(folder, "restaurant-001"));
  await writeFile(join(folder, saved_path), "bytes");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("nothing is wrong with a file that is what its original was", async () => {
  expect(await problemOfSavedFile(completed, folder, md5, signal)).toBeNull();
});

test.each<[string, DownloadRecord, string | undefined, string]>([
  ["another record", { ...completed, md5: other }, md5, `the MD5 of the record is "${other}"`],
  ["another original", completed, other, `expected "${other}"`],
  ["no original", completed, undefined, "the original has no checksum"],
  ["a file that is gone", { ...completed, saved_path: "a/b" }, md5, "is not there"],
  [
    "a failed download",
    { ...completed, status: "failed", error: "no\x1b[2J such\nfile" },
    md5,
    "failed: no suchfile",
  ],
])("%s is a problem", async (_, record, expected, problem) => {
  expect(await problemOfSavedFile(record, folder, expected, signal)).toContain(problem);
});

test("the bytes on the disk count, not what is said of them", async () => {
  await writeFile(join(folder, saved_path), "bytez");
  const found = Bun.MD5.hash("bytez", "hex");
  expect(await problemOfSavedFile(completed, folder, md5, signal)).toContain(
    `is "${found}", expected "${md5}"`,
  );
});
