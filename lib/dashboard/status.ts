import type { DownloadRecord, DownloadStatus } from "../api/schemas.ts";

/** Names of a download's statuses on the page. */
export const STATUS_WORDS = {
  queued: "Queued",
  downloading: "Downloading",
  verifying: "Verifying",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
} satisfies Record<DownloadStatus, string>;

export function isStatus(text: string): text is DownloadStatus {
  return Object.hasOwn(STATUS_WORDS, text);
}

/** Reports whether a download's bytes are being received or verified now. */
export function isRunning({ status }: DownloadRecord): boolean {
  return status === "downloading" || status === "verifying";
}
