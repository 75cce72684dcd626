import type { DownloadRecord } from "./schemas.ts";

/** True for a status that never changes any more. */
export function hasEnded({ status }: Pick<DownloadRecord, "status">): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}
