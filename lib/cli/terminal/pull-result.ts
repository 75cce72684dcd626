import { CHECKSUM_NAMES, digestOf } from "../../api/checksums.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { formatSize } from "../../util/sizes.ts";
import { plainText } from "../../util/plain-text.ts";
import { countFiles, outcomeOf } from "./set-counts.ts";
import { paint } from "./terminal.ts";

/**
 * Returns lines about the result of an ended download, for a terminal.
 * @param savedPath where the file was saved; null where nothing was saved
 */
export function resultLines(
  record: DownloadRecord,
  savedPath: string | null,
  coloured: boolean,
): string[] {
  const { client_id, status, checksum } = record;
  if (status !== "completed") {
    return [`${paint("✗", "red", coloured)} ${client_id}  ${reasonOf(record)}`];
  }
  const dim = (text: string) => paint(text, "dim", coloured);
  const first = `${paint("✓", "green", coloured)} ${client_id}  ${dim(summaryOf(record))}`;
  if (savedPath === null) return [first];
  return [
    first,
    `  ${savedPath}`,
    `  ${dim(CHECKSUM_NAMES[checksum])} ${digestOf(record)} ${paint("verified", "green", coloured)}`,
  ];
}

/** Returns the result of an ended download on one line, for a list of many downloads. */
export function resultLine(record: DownloadRecord, coloured: boolean): string {
  const { client_id, status, saved_path } = record;
  if (status !== "completed") {
    return `${paint("✗", "red", coloured)} ${client_id}  ${reasonOf(record)}`;
  }
  const what =
    unchangedText(record) ??
    [sizeOf(record), outcomeOf(record)].filter((text) => text !== null).join(", ");
  const name = saved_path ?? `${client_id}: nothing`;
  return `${paint("✓", "green", coloured)} ${plainText(name)}  ${paint(what, "dim", coloured)}`;
}

/** Returns the status of a download that did not complete, with the error. */
export function reasonOf({ status, error }: DownloadRecord): string {
  return error === null ? status : `${status}: ${plainText(error)}`;
}

function summaryOf(record: DownloadRecord): string {
  const { bytes_per_second, started_at, completed_at, files_total } = record;
  if (files_total === 0) return "nothing matches";
  const unchanged = unchangedText(record);
  if (unchanged !== null) return unchanged;
  const seconds = secondsOf([started_at], [completed_at]);
  const rate = bytes_per_second === null ? "" : `, ${formatSize(bytes_per_second)}/s`;
  const outcome = files_total === null ? "" : `; ${outcomeOf(record)}`;
  return `${sizeOf(record)} in ${seconds.toFixed(1)} s${rate}${outcome}`;
}

/** Returns the text for a set whose stored files were all unchanged; null for any other download. */
function unchangedText(record: DownloadRecord): string | null {
  const { files_received, files_unchanged, files_skipped } = record;
  if (files_received !== 0 || !files_unchanged) return null;
  const skipped = files_skipped ? `, ${files_skipped} skipped` : "";
  return `nothing new, ${countFiles(files_unchanged)} unchanged${skipped}`;
}

/** Returns the size of a download: `4.0 KiB`, or for a set `62 files, 2.9 MiB`. */
function sizeOf({ files_total, total_size }: DownloadRecord): string {
  const size = formatSize(total_size ?? 0);
  return files_total === null ? size : `${countFiles(files_total)}, ${size}`;
}

/**
 * Returns the time from the first start to the last end of some downloads, in seconds. The time is at least 1
 * ms, so that a rate can be computed.
 */
export function secondsOf(starts: (string | null)[], ends: (string | null)[]): number {
  const from = Math.min(...starts.map((time) => Date.parse(time ?? "")));
  const to = Math.max(...ends.map((time) => Date.parse(time ?? "")));
  return Math.max(1, to - from) / 1000;
}
