import type { DownloadRecord } from "./schemas.ts";

/** What a download is called: its file, or the patterns of a set. */
export function nameOfDownload({ file_path, paths }: Pick<DownloadRecord, "file_path" | "paths">) {
  return file_path ?? paths?.join(", ") ?? "";
}
