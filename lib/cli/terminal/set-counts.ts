import type { DownloadRecord } from "../../api/schemas.ts";

type Counts = Pick<
  DownloadRecord,
  "files_total" | "files_received" | "files_unchanged" | "files_skipped"
>;

/** Progress of a set, in files. */
export interface FileProgress {
  done: number;
  total: number;
}

/**
 * Files of a set that were received, unchanged or skipped; null until it is listed, and for single files.
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

/** `1 file`, `62 files` */
export function countFiles(count: number): string {
  return count === 1 ? "1 file" : `${count} files`;
}

/** Counts of a set's files by result: `60 received, 2 unchanged, 1 skipped`; null until it is listed. */
export function outcomeOf(record: Counts): string | null {
  const { files_total, files_received, files_unchanged, files_skipped } = record;
  if (files_total === null) return null;
  return [
    `${files_received ?? 0} received`,
    ...(files_unchanged ? [`${files_unchanged} unchanged`] : []),
    ...(files_skipped ? [`${files_skipped} skipped`] : []),
  ].join(", ");
}
