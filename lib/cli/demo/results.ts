import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DownloadRecord } from "../../api/schemas.ts";
import { formatSize } from "../../util/sizes.ts";
import { CHECKSUMS_FILE, parseChecksums } from "../checksums.ts";
import { Failure } from "../program.ts";
import { problemOfSavedFile } from "../verify/saved-file.ts";
import { secondsOf } from "../terminal/pull-result.ts";
import { renderTable } from "../terminal/table.ts";
import { paint, say, type Terminal } from "../terminal/terminal.ts";
import { testFilePath } from "../setup/test-files.ts";

const RESULT_COLUMNS = [
  { title: "client" },
  { title: "size", right: true },
  { title: "seconds", right: true },
  { title: "MiB/s", right: true },
  { title: "MD5" },
  { title: "verdict" },
];

/**
 * Checks the saved file of every download and shows a table of them.
 * @param folder where the originals' checksums.txt is
 * @param downloadsDir the server's folder of downloads
 * @throws Failure that says which are wrong, and why
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
  const rows: string[][] = [];
  for (const record of records) {
    const expected = sums.get(testFilePath(record.client_id));
    const problem = await problemOfSavedFile(record, downloadsDir, expected, signal);
    if (problem !== null) problems.push(`${record.client_id}: ${problem}`);
    rows.push(resultRow(record, problem === null, terminal.colour));
  }
  terminal.write(`\n${renderTable(RESULT_COLUMNS, rows, terminal.colour).join("\n")}\n\n`);
  if (problems.length > 0) throw new Failure(problems.join("; "));
  const bytes = records.reduce((sum, { total_size }) => sum + (total_size ?? 0), 0);
  const seconds = secondsOf(
    records.map(({ started_at }) => started_at),
    records.map(({ completed_at }) => completed_at),
  );
  const sum = `${formatSize(bytes)} in ${seconds.toFixed(1)} s, ${formatSize(bytes / seconds)}/s`;
  say(terminal, `all ${records.length} files arrived whole`, sum);
}

function resultRow(record: DownloadRecord, verified: boolean, coloured: boolean): string[] {
  const { client_id, total_size, started_at, completed_at, md5 } = record;
  const seconds = secondsOf([started_at], [completed_at]);
  const rate = (total_size ?? 0) / 1024 ** 2 / seconds;
  return [
    client_id,
    total_size === null ? "–" : formatSize(total_size),
    Number.isNaN(seconds) ? "–" : seconds.toFixed(2),
    Number.isNaN(rate) ? "–" : rate.toFixed(1),
    md5 ?? "–",
    verified ? paint("✓ verified", "green", coloured) : paint("✗ wrong", "red", coloured),
  ];
}
