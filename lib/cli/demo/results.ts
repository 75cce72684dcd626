import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DownloadRecord } from "../../api/schemas.ts";
import { formatSize } from "../../util/sizes.ts";
import { CHECKSUMS_FILE, parseChecksums } from "../checksums.ts";
import { Failure } from "../program.ts";
import { problemOfSavedFile } from "../verify/saved-file.ts";
import { secondsOf } from "../terminal/pull-result.ts";
import { type ListingColumn, listingTable } from "../terminal/listing.ts";
import { say, renderText, type Terminal } from "../terminal/terminal.ts";
import { testFilePath } from "../setup/test-files.ts";

/** A download, and whether the saved file equals the original. */
interface Result {
  record: DownloadRecord;
  isVerified: boolean;
}

const RESULT_COLUMNS: ListingColumn<Result>[] = [
  column("client", 9, ({ record }) => record.client_id),
  { ...column("size", 8, ({ record }) => sizeOf(record)), right: true },
  { ...column("seconds", 7, ({ record }) => numberOrDash(durationOf(record), 2)), right: true },
  { ...column("MiB/s", 7, ({ record }) => numberOrDash(rateOf(record), 1)), right: true },
  // A narrow table shows only the end of an MD5, which is enough for comparing by eye.
  { ...column("MD5", 6, ({ record }) => record.md5 ?? "–"), minWidth: 9 },
  column("verdict", 10, ({ isVerified }) =>
    isVerified ? { text: "✓ verified", colour: "green" } : { text: "✗ wrong", colour: "red" },
  ),
];

/**
 * Compares the saved file of every download with the checksum of its original, and prints a table.
 * @param folder contains checksums.txt, with the checksums of the original files
 * @param downloadsDir the server's folder of downloads
 * @throws Failure that names each wrong file and its problem
 */
export async function verifyAll(
  folder: string,
  downloadsDir: string,
  records: DownloadRecord[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const { sums } = parseChecksums(await readFile(join(folder, CHECKSUMS_FILE), "utf8"));
  const problems: string[] = [];
  const results: Result[] = [];
  for (const record of records) {
    const expected = sums.get(testFilePath(record.client_id));
    const problem = await problemOfSavedFile(record, downloadsDir, expected, signal);
    if (problem !== null) problems.push(`${record.client_id}: ${problem}`);
    results.push({ record, isVerified: problem === null });
  }
  const width = terminal.live ? terminal.columns() : Infinity;
  const table = listingTable(RESULT_COLUMNS, results, width, terminal.colour);
  terminal.write(`\n${table.join("\n")}\n\n`);
  if (problems.length > 0) throw new Failure(problems.join("; "));
  const bytes = records.reduce((sum, { total_size }) => sum + (total_size ?? 0), 0);
  const seconds = secondsOf(
    records.map(({ started_at }) => started_at),
    records.map(({ completed_at }) => completed_at),
  );
  const summary = `${formatSize(bytes)} in ${seconds.toFixed(1)} s, ${formatSize(bytes / seconds)}/s`;
  say(terminal, `all ${records.length} files arrived whole`, summary);
}

function column(
  title: string,
  importance: number,
  shown: ListingColumn<Result>["shown"],
): ListingColumn<Result> {
  return { title, importance, shown, raw: (result) => renderText(shown(result), false) };
}

function sizeOf({ total_size }: DownloadRecord): string {
  return total_size === null ? "–" : formatSize(total_size);
}

function durationOf({ started_at, completed_at }: DownloadRecord): number {
  return secondsOf([started_at], [completed_at]);
}

/** Returns the rate of a download, in MiB a second. */
function rateOf(record: DownloadRecord): number {
  return (record.total_size ?? 0) / 1024 ** 2 / durationOf(record);
}

function numberOrDash(value: number, digits: number): string {
  return Number.isNaN(value) ? "–" : value.toFixed(digits);
}
