import type { DownloadRecord } from "../api/schemas.ts";
import { formatSize } from "../util/sizes.ts";
import type { ListingColumn } from "./listing.ts";
import { formatDuration } from "./progress.ts";
import { type Colour, paint, plainText } from "./terminal.ts";
import { formatAge } from "./times.ts";

const COLOURS: Record<DownloadRecord["status"], Colour> = {
  queued: "yellow",
  downloading: "cyan",
  verifying: "cyan",
  completed: "green",
  failed: "red",
  cancelled: "dim",
};

/** Columns of a path whose end still tells what it is. */
const PATH_COLUMNS = 15;

/** Characters of an id that tell it from others: its time in ms, and the counter within that. */
const SHORT_ID = 18;

/** A status in its colour. */
export function paintStatus(status: DownloadRecord["status"], coloured: boolean): string {
  return paint(status, COLOURS[status], coloured);
}

/** The first part of an id, which commands take as well as the whole of it. */
export function shortId(downloadId: string): string {
  return downloadId.slice(0, SHORT_ID);
}

/** Downloads, one a line. */
export const DOWNLOAD_COLUMNS: ListingColumn<DownloadRecord>[] = [
  {
    title: "download",
    importance: 8,
    shown: ({ download_id }) => shortId(download_id),
    raw: ({ download_id }) => download_id,
  },
  {
    title: "client",
    importance: 7,
    shown: ({ client_id }) => client_id,
    raw: ({ client_id }) => client_id,
  },
  {
    title: "status",
    importance: 9,
    shown: ({ status }, coloured) => paintStatus(status, coloured),
    raw: ({ status }) => status,
  },
  {
    title: "done",
    right: true,
    importance: 6,
    shown: ({ percent }) => (percent === null ? "–" : `${Math.floor(percent)}%`),
    raw: ({ bytes_received }) => bytes_received,
  },
  {
    title: "size",
    right: true,
    importance: 5,
    shown: ({ total_size }) => (total_size === null ? "–" : formatSize(total_size)),
    raw: ({ total_size }) => total_size,
  },
  {
    title: "created",
    right: true,
    importance: 3,
    shown: ({ created_at }) => formatAge(created_at),
    raw: ({ created_at }) => created_at,
  },
  {
    title: "file",
    importance: 4,
    least: PATH_COLUMNS,
    shown: ({ file_path }) => plainText(file_path),
    raw: ({ file_path }) => file_path,
  },
];

/** Downloads under way, one a line. */
export const LIVE_DOWNLOAD_COLUMNS: ListingColumn<DownloadRecord>[] = [
  ...DOWNLOAD_COLUMNS.filter(({ title }) => title !== "created" && title !== "file"),
  {
    title: "rate",
    right: true,
    importance: 4,
    shown: ({ bytes_per_second: rate }) => (rate === null ? "–" : `${formatSize(rate)}/s`),
    raw: ({ bytes_per_second }) => bytes_per_second,
  },
  {
    title: "left",
    right: true,
    importance: 3,
    shown: ({ eta_seconds }) => (eta_seconds === null ? "–" : formatDuration(eta_seconds)),
    raw: ({ eta_seconds }) => eta_seconds,
  },
  ...DOWNLOAD_COLUMNS.filter(({ title }) => title === "file").map((column) => ({
    ...column,
    importance: 2,
  })),
];
