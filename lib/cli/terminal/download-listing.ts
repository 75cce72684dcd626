import { nameOfDownload } from "../../api/download-name.ts";
import { lackOf } from "../../api/lack-of.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { formatSize } from "../../util/sizes.ts";
import { plainName, plainText } from "../../util/plain-text.ts";
import type { Field, ListingColumn } from "./listing.ts";
import { formatDuration } from "./progress.ts";
import { fileProgressOf } from "./set-counts.ts";
import { type Colour, NAME_COLUMNS, type StyledText } from "./terminal.ts";
import { formatAge } from "./times.ts";

const COLOURS: Record<DownloadRecord["status"], Colour> = {
  queued: "yellow",
  downloading: "cyan",
  verifying: "cyan",
  completed: "green",
  failed: "red",
  cancelled: "dim",
};

/** The minimum number of terminal columns in which a path can be recognized by its end. */
const PATH_COLUMNS = 12;

/**
 * The number of characters at the start of an id that are enough to tell ids apart. They contain the time in
 * ms, and a counter of the ids that were made in the same ms.
 */
const SHORT_ID = 18;

/** Returns the status of a download with its colour. */
export function statusShown(status: DownloadRecord["status"]) {
  return { text: status, colour: COLOURS[status] };
}

/**
 * Returns the state of a download with its colour: `removed` where the content was removed, otherwise the
 * status, with `held` added where a hold protects the content.
 */
export function stateShown({ status, removed_at, hold }: DownloadRecord): StyledText {
  if (removed_at !== null) return { text: "removed", colour: "dim" };
  const { text, colour } = statusShown(status);
  return { text: hold ? `${text}, held` : text, colour };
}

/** Returns the beginning of a download's id. Commands accept the beginning in place of the whole id. */
export function shortId(downloadId: string): string {
  return downloadId.slice(0, SHORT_ID);
}

type DownloadColumn = ListingColumn<DownloadRecord>;

const ID: DownloadColumn = {
  title: "download",
  importance: 8,
  shown: ({ download_id }) => shortId(download_id),
  raw: ({ download_id }) => download_id,
};

const CLIENT: DownloadColumn = {
  title: "client",
  importance: 9,
  minWidth: NAME_COLUMNS,
  shown: ({ client_id }) => client_id,
  raw: ({ client_id }) => client_id,
};

const STATUS: DownloadColumn = {
  title: "status",
  importance: 10,
  shown: stateShown,
  raw: ({ status }) => status,
};

const DONE: DownloadColumn = {
  title: "done",
  right: true,
  importance: 7,
  shown: ({ percent }) => (percent === null ? "–" : `${Math.floor(percent)}%`),
  raw: ({ bytes_received }) => bytes_received,
};

const SIZE: DownloadColumn = {
  title: "size",
  right: true,
  importance: 6,
  shown: ({ total_size }) => (total_size === null ? "–" : formatSize(total_size)),
  raw: ({ total_size }) => total_size,
};

const RATE: DownloadColumn = {
  title: "rate",
  right: true,
  importance: 5,
  shown: ({ bytes_per_second: rate }) => (rate === null ? "–" : `${formatSize(rate)}/s`),
  raw: ({ bytes_per_second }) => bytes_per_second,
};

const TIME_LEFT: DownloadColumn = {
  title: "left",
  right: true,
  importance: 3,
  shown: ({ eta_seconds }) => (eta_seconds === null ? "–" : formatDuration(eta_seconds)),
  raw: ({ eta_seconds }) => eta_seconds,
};

const CREATED: DownloadColumn = {
  title: "created",
  right: true,
  importance: 1,
  shown: ({ created_at }) => formatAge(created_at),
  raw: ({ created_at }) => created_at,
};

const FILE: DownloadColumn = {
  title: "file",
  importance: 2,
  minWidth: PATH_COLUMNS,
  shown: nameShown,
  raw: nameOfDownload,
};

/** The maximum number of patterns of a set that are shown. */
const MAX_PATTERNS = 3;
/** The maximum length of a set's name in the list, in characters. The name consists of its patterns. */
const MAX_NAME = 200;

/**
 * Returns the name of a download for a list. The name of a set is its first patterns, and how many of its
 * files are done: `logs/ *.csv (7/62)`.
 */
export function nameShown(record: DownloadRecord): string {
  const { kind } = record;
  if (kind === "file") return nameOfDownload(record);
  const paths = record.resolved_paths ?? record.paths;
  const patterns = paths?.slice(0, MAX_PATTERNS).join(" ").slice(0, MAX_NAME) ?? "";
  const more = (paths?.length ?? 0) - MAX_PATTERNS;
  const files = fileProgressOf(record);
  return [
    patterns,
    ...(more > 0 ? [`and ${more} more`] : []),
    ...(files ? [`(${files.done}/${files.total})`] : []),
  ].join(" ");
}

/** Columns of the list of downloads. */
export const DOWNLOAD_COLUMNS = [ID, CLIENT, STATUS, DONE, SIZE, CREATED, FILE];

/**
 * The fields of a download when the list goes to a pipe: the columns, then further fields such as the error.
 */
export const DOWNLOAD_FIELDS: Field<DownloadRecord>[] = [
  ...DOWNLOAD_COLUMNS,
  { raw: ({ error_code }) => error_code },
  { raw: ({ error }) => error },
  { raw: ({ files_total }) => files_total },
  { raw: ({ files_received }) => files_received },
  { raw: ({ files_unchanged }) => files_unchanged },
  { raw: ({ files_skipped }) => files_skipped },
  { raw: ({ hold }) => (hold ? "held" : null) },
  { raw: ({ removed_at }) => removed_at },
];

/**
 * The columns of a list of running downloads. They include the rate, which a narrow terminal shows in
 * preference to the size.
 */
export const LIVE_DOWNLOAD_COLUMNS = [
  { ...ID, importance: 6 },
  CLIENT,
  STATUS,
  DONE,
  { ...SIZE, importance: 4 },
  RATE,
  TIME_LEFT,
  { ...FILE, importance: 8 },
];

/**
 * Returns why a download failed, why a queued download waits, or what a set lacks: its skipped files, and
 * patterns without a match. null where there is nothing to report.
 */
export function problemOf(record: DownloadRecord): string | null {
  const { error, error_code, files_skipped, files_total, download_id } = record;
  if (error !== null) return [error_code, plainText(error)].filter(Boolean).join(": ");
  const skipped = `${files_skipped} of ${files_total} files skipped: fds files ${shortId(download_id)} --status skipped`;
  const lack = lackOf(record);
  const parts = [...(files_skipped ? [skipped] : []), ...(lack ? [plainName(lack)] : [])];
  return parts.length === 0 ? null : parts.join("; ");
}
