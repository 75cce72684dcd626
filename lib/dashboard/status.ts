import type { DownloadRecord, DownloadStatus } from "../api/schemas.ts";

/** Names of the statuses. */
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

/** Whether bytes are being received or compared. */
export function isRunning({ status }: DownloadRecord): boolean {
  return status === "downloading" || status === "verifying";
}
