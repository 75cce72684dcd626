import type { DownloadRecord } from "./schemas.ts";

/**
 * Returns the name of a download as shown to people: the file's path, or a set's patterns, with dates filled
 * in.
 */
export function nameOfDownload(
  record: Pick<DownloadRecord, "file_path" | "paths"> &
    Partial<Pick<DownloadRecord, "resolved_path" | "resolved_paths">>,
): string {
  // Older servers do not send `resolved_path`, and do not fill in dates.
  const path = record.resolved_path ?? record.file_path;
  return path ?? (record.resolved_paths ?? record.paths)?.join(", ") ?? "";
}
