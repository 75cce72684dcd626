import { CHECKSUM_NAMES, digestOf } from "../../api/checksums.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { formatSize } from "../../util/sizes.ts";
import { shortId, statusShown } from "./download-listing.ts";
import { alignedFields } from "./labelled.ts";
import { formatDuration } from "./progress.ts";
import { outcomeOf } from "./set-counts.ts";
import { joinFirst } from "./terminal.ts";
import { formatAge, formatMoment } from "./times.ts";

/**
 * Returns lines with all fields of a download, for a terminal.
 * @param savedPath where the file was saved; null where nothing was saved
 */
export function downloadFields(
  record: DownloadRecord,
  savedPath: string | null,
  coloured: boolean,
): string[] {
  const moment = (time: string | null) =>
    time === null ? null : `${formatMoment(time)} (${formatAge(time)})`;
  const { bytes_per_second: rate, error, error_code } = record;
  return alignedFields(
    {
      download: record.download_id,
      client: record.client_id,
      file: record.resolved_path ?? record.file_path,
      patterns: record.paths && patternsShown(record.resolved_paths ?? record.paths),
      excluded: record.exclude?.length ? patternsShown(record.exclude) : null,
      "no match": record.unmatched_paths?.length ? patternsShown(record.unmatched_paths) : null,
      status: statusShown(record.status),
      progress: progressOf(record),
      files: filesOf(record),
      chunks:
        record.total_chunks === null ? null : `${record.chunks_received} of ${record.total_chunks}`,
      "on the wire": record.bytes_on_wire === 0 ? null : formatSize(record.bytes_on_wire),
      rate: rate === null ? null : `${formatSize(rate)}/s`,
      left: record.eta_seconds === null ? null : formatDuration(record.eta_seconds),
      limit: record.rate_limit === null ? null : `${formatSize(record.rate_limit)}/s`,
      attempts: String(record.attempts),
      created: moment(record.created_at),
      started: moment(record.started_at),
      ended: moment(record.completed_at),
      [CHECKSUM_NAMES[record.checksum]]: digestOf(record),
      "saved as": savedPath,
      held: record.hold ? "whatever the rules of retention say" : null,
      removed: moment(record.removed_at),
      "retried as": record.retried_as,
      error: error === null ? null : `${error} (${error_code})`,
    },
    coloured,
  );
}

/** The maximum number of terminal columns that are used for a pattern. */
const PATTERN_COLUMNS = 60;

/** Joins the first patterns of a set into one text. Long patterns are shortened. */
function patternsShown(patterns: string[]): string {
  return joinFirst(
    patterns.map((pattern) => Bun.sliceAnsi(pattern, 0, PATTERN_COLUMNS, "…")),
    "  ",
  );
}

/**
 * Returns the counts of a set's files:
 * `62: 60 received, 2 skipped (fds files 0198c0de-7f00 --status skipped)`.
 * @returns null for a single file, and until the set is listed
 */
function filesOf(record: DownloadRecord): string | null {
  const { files_total, files_skipped, download_id } = record;
  if (files_total === null) return null;
  const all = files_skipped ? ` (fds files ${shortId(download_id)} --status skipped)` : "";
  return `${files_total}: ${outcomeOf(record)}${all}`;
}

function progressOf({ kind, status, bytes_received, total_size, percent }: DownloadRecord): string {
  if (total_size === null) {
    return kind === "set" && status === "downloading" ? "being listed" : "not begun";
  }
  return `${percent}%, ${formatSize(bytes_received)} of ${formatSize(total_size)}`;
}
