import { hasEnded } from "../../api/has-ended.ts";
import type { JobRecord, JobStatus } from "../../api/jobs.ts";
import type { DownloadStatus } from "../../api/schemas.ts";
import { formatSize } from "../../util/sizes.ts";
import { formatCount, visible } from "../format.ts";
import { STATUS_WORDS } from "../status.ts";

/** Names of a job's statuses on the page. */
export const JOB_STATUS_WORDS = {
  running: "Running",
  paused: "Paused",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  stopped: "Stopped",
} satisfies Record<JobStatus, string>;

/** Statuses of downloads in the order in which a job's progress bar shows them, from left to right. */
export const BAR_ORDER = [
  "completed",
  "verifying",
  "downloading",
  "failed",
  "cancelled",
  "queued",
] as const satisfies DownloadStatus[];

/** Highest number of client ids in a text. Further ids are only counted. */
const MAX_IDS_NAMED = 2;

/** Highest number of paths in a text. Further paths are only counted. */
const MAX_PATHS_NAMED = 2;

/** Returns the title of a job: its name, or the requested paths. */
export function titleOf(job: JobRecord): string {
  return visible(job.name ?? whatOf(job));
}

/** Formats what a job requests from each client: `"journal.txt"`, `"sales/*.csv, logs/"`. */
export function whatOf({ download: { file_path, paths } }: Pick<JobRecord, "download">): string {
  if (paths === undefined) return file_path ?? "its usual file";
  return listOf(paths, MAX_PATHS_NAMED);
}

/** Formats which clients a job selects: `"all sites"`, `"region=west"`, `"till-1, till-2 and 38 more"`. */
export function whoOf({
  clients: { ids, labels },
  membership,
}: Pick<JobRecord, "clients" | "membership">): string {
  const words = [
    ...(ids === undefined ? [] : [ids.length === 0 ? "some sites" : listOf(ids, MAX_IDS_NAMED)]),
    ...(labels === undefined ? [] : [labels]),
  ];
  const who = words.length === 0 ? "all sites" : words.join(" with ");
  return membership === "continuous" ? `${who}, also later ones` : who;
}

/**
 * Formats the number of a job's downloads by status: `"12 completed"`. Statuses without downloads are left
 * out.
 */
export function countsOf({ counts }: JobRecord): { status: DownloadStatus; words: string }[] {
  return BAR_ORDER.filter((status) => counts[status] > 0).map((status) => ({
    status,
    words: `${formatCount(counts[status])} ${STATUS_WORDS[status].toLowerCase()}`,
  }));
}

/** Formats the amount that a job has received: `"1.2 GiB of 3.4 GiB"`, with the number of files for sets. */
export function amountOf({ bytes_received, total_size, files_received }: JobRecord): string {
  const bytes = formatSize(bytes_received);
  const files = files_received > 0 ? `${formatCount(files_received)} files, ` : "";
  return total_size > bytes_received
    ? `${files}${bytes} of ${formatSize(total_size)}`
    : `${files}${bytes}`;
}

/** Returns the share of a job's downloads that have ended, in percent, rounded down so that 100 means all. */
export function percentOf({ counts, total }: JobRecord): number {
  if (total === 0) return 0;
  const ended = BAR_ORDER.filter((status) => hasEnded({ status }));
  const sum = ended.reduce((all, status) => all + counts[status], 0);
  return Math.floor((sum * 100) / total);
}

/**
 * Returns the status of the downloads of a job that can be retried: the failed ones or, if none failed, the
 * cancelled ones. Returns null if there are neither, or the job has expired.
 * @param now ms since 1970
 */
export function rerunStatusOf(job: JobRecord, now: number): "failed" | "cancelled" | null {
  const { counts, expires_at } = job;
  if (expires_at !== null && Date.parse(expires_at) <= now) return null;
  if (counts.failed > 0) return "failed";
  return counts.cancelled > 0 ? "cancelled" : null;
}

/** Joins words with commas: `"a, b and 3 more"`. @param maxNamed highest number of words that are named */
function listOf(words: readonly string[], maxNamed: number): string {
  const named = words.slice(0, maxNamed).join(", ");
  return words.length > maxNamed
    ? `${named} and ${formatCount(words.length - maxNamed)} more`
    : named;
}
