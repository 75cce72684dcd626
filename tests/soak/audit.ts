import { join } from "node:path";
import { hasEnded } from "../../lib/api/has-ended.ts";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { versionOf } from "../support/sources.ts";
import type { ChangingSource } from "./changing-source.ts";
import { allRecords, type Ledger } from "./operator.ts";
import { LOST_IN_A_BREAK, type World } from "./world.ts";

/** Time between two requests for all records, in ms. */
const LOOK_EVERY = 1000;
/** Bytes for headers, messages and pings, as a share of the bytes of files. */
const OVERHEAD = 0.02;
/** Bytes for messages and headers of each attempt. */
const OVERHEAD_OF_AN_ATTEMPT = 4096;
/** Log messages that a program writes only if it has a bug. */
const BUG = /^(unhandled rejection|uncaught exception|the server failed to read a message|panic)/;

/**
 * Checks the invariants A to F of lib/README.md after the storm of faults, except the growth of memory and
 * descriptors, which `growth.ts` judges.
 * @returns the violations, one line each
 */
export async function audit(world: World, ledger: Ledger): Promise<string[]> {
  const records = await settledRecords(world);
  const sources = new Map(
    world.sites.flatMap((site) => site.sources.map((source) => [source.filePath, source])),
  );
  const sourceOf = ({ file_path }: DownloadRecord) => sources.get(file_path ?? "")!;
  return [
    ...ledger.violations,
    ...records.flatMap((record) => problemsOf(record, sourceOf(record), ledger)),
    ...(await problemsOnDisk(world, ledger, records, sourceOf)),
    ...problemsOfTraffic(world, records, sourceOf),
    ...bugsInLogs(world),
  ];
}

/** Returns all records once all downloads have ended, or at the time limit for that. */
async function settledRecords(world: World): Promise<DownloadRecord[]> {
  for (;;) {
    const records = await allRecords(world);
    if (records.every(hasEnded) || world.patience.aborted) return records;
    await Bun.sleep(LOOK_EVERY);
  }
}

/** Checks invariant C: a download that has ended no longer changes, except that a retry is recorded once. */
function isAsSeen(seen: DownloadRecord, record: DownloadRecord): boolean {
  const retried_as = seen.retried_as ?? record.retried_as;
  return Bun.deepEquals({ ...seen, retried_as }, record);
}

/**
 * Checks invariants A and F of one download: its bytes are a version of the source, or its error names the
 * true cause.
 */
function problemsOf(record: DownloadRecord, source: ChangingSource, ledger: Ledger): string[] {
  const { download_id, status, error_code, created_at, completed_at, md5, total_size } = record;
  const problems: string[] = [];
  const told = `${record.file_path} (${download_id})`;
  if (!hasEnded(record)) problems.push(`C: ${told} has not ended: ${JSON.stringify(record)}`);
  const seen = ledger.ended.get(download_id);
  if (seen && !isAsSeen(seen, record)) problems.push(`C: ${told} changed after its end`);
  if (status === "completed" && !source.wasEver({ size: total_size ?? -1, md5: md5 ?? "" })) {
    problems.push(`A: ${told} was never what was recorded`);
  }
  if (status === "failed") {
    const [from, to] = [Date.parse(created_at), Date.parse(completed_at ?? "")];
    const isTrue =
      (error_code === "file_not_found" && source.upsets("missing", from, to) > 0) ||
      (error_code === "source_changed" && source.upsets("changed", from, to) > 0);
    if (!isTrue) problems.push(`F: ${told} failed without a cause: ${error_code}, ${record.error}`);
  }
  return problems;
}

/**
 * Checks invariants A and E on the disk: each published file belongs to a completed download and has its
 * bytes, and no part is left.
 */
async function problemsOnDisk(
  { system }: World,
  ledger: Ledger,
  records: DownloadRecord[],
  sourceOf: (record: DownloadRecord) => ChangingSource,
): Promise<string[]> {
  const problems: string[] = [];
  const expected = new Map(
    records
      .filter(({ status, saved_path }) => status === "completed" && saved_path !== null)
      .map((record) => [record.saved_path ?? "", record]),
  );
  const published = await system.published();
  for (const name of published) {
    const record = expected.get(name);
    const found = await versionOf(join(system.folder, "downloads", name));
    if (!record) problems.push(`A: "${name}" belongs to no completed download`);
    else if (found.md5 !== record.md5 || !sourceOf(record).wasEver(found)) {
      problems.push(`A: "${name}" has the MD5 ${found.md5}, recorded is ${record.md5}`);
    }
  }
  const there = new Set([...published, ...ledger.taken]);
  for (const name of expected.keys()) {
    if (!there.has(name)) problems.push(`A: "${name}" is recorded and not there`);
  }
  for (const part of await system.parts()) problems.push(`E: the part "${part}" is left`);
  return problems;
}

/** Checks invariant D: the bytes sent twice stay below the limit for the breaks and changes that happened. */
function problemsOfTraffic(
  { sites }: World,
  records: DownloadRecord[],
  sourceOf: (record: DownloadRecord) => ChangingSource,
): string[] {
  const carried = sites.reduce((sum, { proxy }) => sum + proxy.carried.up, 0);
  const allowed = records.reduce((sum, record) => sum + mostBytesOf(record, sourceOf(record)), 0);
  return carried > allowed ? [`D: ${carried} bytes were sent, at most ${allowed} had to be`] : [];
}

function mostBytesOf(record: DownloadRecord, source: ChangingSource): number {
  const size = Math.max(record.total_size ?? 0, source.size);
  const from = Date.parse(record.created_at);
  const to = Date.parse(record.completed_at ?? "");
  const readings = 1 + source.upsets("changed", from, to);
  const again = Math.max(0, record.attempts - 1) * Math.min(size, LOST_IN_A_BREAK);
  const bytes = (readings * size + again) * (1 + OVERHEAD);
  return bytes + (record.attempts + 1) * OVERHEAD_OF_AN_ATTEMPT;
}

function bugsInLogs({ system }: World): string[] {
  return system.programs.flatMap((program) =>
    program
      .log()
      .filter(({ message }) => BUG.test(message))
      .map((line) => `E: a bug in a log: ${JSON.stringify(line)}`),
  );
}
