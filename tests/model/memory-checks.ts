import { expect } from "bun:test";
import type { Repository } from "../../lib/server/database/repository.ts";
import { type Download } from "../../lib/server/download.ts";
import { md5 } from "../support/scripted-client.ts";
import { MemoryFile } from "./memory-file.ts";

/* Checks of files and jobs that must hold after every step of a model test. */

/**
 * Invariant A: exactly the completed downloads have a published file, with bytes that the source once had.
 */
export function checkFiles(
  downloads: Download[],
  files: Map<string, Uint8Array>,
  source: MemoryFile,
): void {
  const completed = downloads.filter((download) => download.status === "completed");
  expect([...files.keys()].toSorted()).toEqual(
    completed.map(({ savedPath }) => savedPath!).toSorted(),
  );
  for (const { savedPath, checksum, digest } of completed) {
    const bytes = files.get(savedPath!) ?? new Uint8Array();
    expect([checksum, digest]).toEqual(["md5", md5(bytes)]);
    expect(source.wasEver(bytes)).toBe(true);
  }
}

/** Checks that a job counts its client exactly once, by the status of the client's newest download. */
export async function checkJob(
  jobId: string,
  downloads: Download[],
  repository: Repository,
): Promise<void> {
  const { total, counts } = await repository.jobs.totals(jobId, null);
  const sum = Object.values(counts).reduce((all, count) => all + count);
  expect([total, sum]).toEqual([1, 1]);
  const own = downloads.filter((download) => download.jobId === jobId);
  const newest = own.filter((one) => !("retriedAs" in one) || one.retriedAs === null);
  expect(newest.length).toBeLessThanOrEqual(1);
  const [one] = newest;
  if (one) expect(counts[one.status]).toBe(1);
}
