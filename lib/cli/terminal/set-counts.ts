import type { DownloadRecord } from "../../api/schemas.ts";

type Counts = Pick<
  DownloadRecord,
  "files_total" | "files_received" | "files_unchanged" | "files_skipped"
>;

/** How many files of a set are done. */
export interface FileProgress {
  done: number;
  total: number;
}

/**
 * Returns how many files of a set are done: received, unchanged or skipped.
 * @returns null for a single file, and until the set is listed
 */
export function fileProgressOf({
  files_total: total,
  files_received: received,
  files_unchanged: unchanged,
  files_skipped: skipped,
}: Counts): FileProgress | null {
  if (total === null) return null;
  return { done: Math.min(total, (received ?? 0) + (unchanged ?? 0) + (skipped ?? 0)), total };
}

/** Returns a number of files as text: `1 file`, `62 files`. */
export function countFiles(count: number): string {
  return count === 1 ? "1 file" : `${count} files`;
}

/**
 * Returns the counts of a set's files: `60 received, 2 unchanged, 1 skipped`. null until the set is listed.
 */
export function outcomeOf(record: Counts): string | null {
  const { files_total, files_received, files_unchanged, files_skipped } = record;
  if (files_total === null) return null;
  return [
    `${files_received ?? 0} received`,
    ...(files_unchanged ? [`${files_unchanged} unchanged`] : []),
    ...(files_skipped ? [`${files_skipped} skipped`] : []),
  ].join(", ");
}
