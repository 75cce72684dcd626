import { lackOf } from "../api/lack-of.ts";
import type { DownloadRecord } from "../api/schemas.ts";
import { formatSize } from "../util/sizes.ts";
import { formatCount, formatRate, formatSpan, visible } from "./format.ts";

/** Smallest saving by compression that is shown, as a fraction of the file's size. */
const MIN_SHOWN_SAVING = 0.03;

/**
 * Formats progress, rate and remaining time of a download: `"36.3 MiB of 100.0 MiB · 11.2 MiB/s · 6 s left"`.
 * @param isOnline whether the download's site is connected
 */
export function numbersOf(download: DownloadRecord, isOnline: boolean): string {
  const { status, total_size, attempts } = download;
  const tries = attempts > 1 ? [`${attempts} attempts`] : [];
  const received = [
    ...filesOf(download),
    ...(total_size === null ? [] : [receivedOf(download, total_size)]),
  ];
  switch (status) {
    case "queued":
      return [...waitingOf(download, isOnline), ...tries].join(" · ");
    case "downloading":
      return [...received, ...speedOf(download), ...tries].join(" · ");
    case "completed":
      return [...resultOf(download), ...tries].join(" · ");
    default:
      return [...received, ...tries].join(" · ");
  }
}

function waitingOf(download: DownloadRecord, isOnline: boolean): string[] {
  const { bytes_received, total_size } = download;
  const waitText = `Waits for ${isOnline ? "its turn" : "its site to connect"}`;
  return bytes_received > 0 ? [receivedOf(download, total_size ?? 0), waitText] : [waitText];
}

function speedOf({ bytes_per_second, rate_limit, eta_seconds }: DownloadRecord): string[] {
  return [
    ...(bytes_per_second === null ? [] : [formatRate(bytes_per_second)]),
    ...(rate_limit === null ? [] : [`${formatRate(rate_limit)} at most`]),
    ...(eta_seconds === null ? [] : [`${formatSpan(eta_seconds)} left`]),
  ];
}

/**
 * Formats the numbers of a completed download: files of a set, size, duration, rate, and the compressed size
 * if compression saved more than {@link MIN_SHOWN_SAVING}.
 */
function resultOf(download: DownloadRecord): string[] {
  const { total_size, bytes_per_second, bytes_on_wire } = download;
  const size = total_size ?? 0;
  return [
    ...filesOf(download),
    formatSize(size),
    `in ${formatSpan(secondsOf(download))}`,
    ...(bytes_per_second === null ? [] : [formatRate(bytes_per_second)]),
    ...(bytes_on_wire < size * (1 - MIN_SHOWN_SAVING)
      ? [`${formatSize(bytes_on_wire)} on the wire`]
      : []),
  ];
}

/**
 * Formats the file counts of a set: `"3 of 20 files"`, or only `"20 files"` if the set is completed. Then
 * come the numbers of unchanged and of skipped files, if any, and the patterns that no file matches. Empty
 * for a download of one file.
 */
function filesOf(download: DownloadRecord): string[] {
  const { status, files_total, files_received, files_unchanged, files_skipped } = download;
  if (files_total === null) return [];
  const files = `${formatCount(files_total)} ${files_total === 1 ? "file" : "files"}`;
  const lack = lackOf(download);
  const stored = (files_received ?? 0) + (files_unchanged ?? 0);
  return [
    status === "completed" ? files : `${formatCount(stored)} of ${files}`,
    ...(files_unchanged ? [`${formatCount(files_unchanged)} unchanged`] : []),
    ...(files_skipped ? [`${formatCount(files_skipped)} skipped`] : []),
    ...(lack === null ? [] : [visible(lack)]),
  ];
}

/** Formats the received and the total bytes: `"36.3 MiB of 100.0 MiB"`. */
function receivedOf({ bytes_received }: DownloadRecord, totalSize: number): string {
  return `${formatSize(bytes_received)} of ${formatSize(totalSize)}`;
}

function secondsOf({ started_at, completed_at }: DownloadRecord): number {
  if (started_at === null || completed_at === null) return 0;
  return (Date.parse(completed_at) - Date.parse(started_at)) / 1000;
}
