import type { DownloadRecord } from "./schemas.ts";

/** Reports whether a download has ended, so that its status cannot change any more. */
export function hasEnded({ status }: Pick<DownloadRecord, "status">): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}
