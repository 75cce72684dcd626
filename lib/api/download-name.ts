import type { DownloadRecord } from "./schemas.ts";

/** The name of a download for people: its file, or the patterns of a set, with their dates filled in. */
export function nameOfDownload(
  record: Pick<DownloadRecord, "file_path" | "paths"> &
    Partial<Pick<DownloadRecord, "resolved_path" | "resolved_paths">>,
): string {
  // Servers before `resolved_path` have no dates.
  const path = record.resolved_path ?? record.file_path;
  return path ?? (record.resolved_paths ?? record.paths)?.join(", ") ?? "";
}
