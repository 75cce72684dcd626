import type { Asked, AskedDownload, DeliveryState, DeliveryStatus, Schedule } from "../schedule.ts";

/*
 * Computes the status of a delivery from its newest download and the time, as a pure function. A delivery
 * that has received files keeps its status, unless a later download improves it.
 */

/** Statuses of deliveries with received files, from worst to best. */
const DELIVERED: DeliveryStatus[] = ["partial", "late", "received"];

/**
 * Returns the next state of a delivery.
 * @param bytes size of all files of the download, including unchanged ones
 * @param now ms since 1970
 */
export function stateOf(
  asked: Asked,
  bytes: number,
  expect: Schedule["expect"],
  now: number,
): DeliveryState {
  const { status, downloadId, files, bytes: bytesBefore } = asked.delivery;
  const before = { status, downloadId, files, bytes: bytesBefore };
  const next = currentState(asked, bytes, expect, now);
  const [rankBefore, rankNext] = [DELIVERED.indexOf(status), DELIVERED.indexOf(next.status)];
  if (rankBefore === -1) return next;
  const hasMore = next.files > files || (next.files === files && next.bytes > bytesBefore);
  return rankNext > rankBefore || (rankNext === rankBefore && status === "partial" && hasMore)
    ? next
    : before;
}

function currentState(
  { delivery, download }: Asked,
  bytes: number,
  expect: Schedule["expect"],
  now: number,
): DeliveryState {
  const { jobId, dueAt } = delivery;
  const downloadId = download?.downloadId ?? delivery.downloadId;
  const undelivered = { downloadId, files: 0, bytes: 0 };
  if (jobId === null) return { ...undelivered, status: "skipped" };
  const files = download ? filesOf(download) : 0;
  if (download && files > 0) {
    const isWhole = download.filesSkipped === 0 && files >= expect.files && bytes >= expect.bytes;
    const isInTime = (download.completedAt ?? now) <= dueAt;
    const status = !isWhole ? "partial" : isInTime ? "received" : "late";
    return { downloadId, files, bytes, status };
  }
  if (now >= dueAt) return { ...undelivered, status: "missing" };
  const isRunning = download?.status === "downloading" || download?.status === "verifying";
  return { ...undelivered, status: isRunning ? "running" : "expected" };
}

/**
 * Returns the number of files that a download delivered: 0 if the download is not completed, or has no
 * content because it is a set without files.
 */
function filesOf(download: AskedDownload): number {
  const { status, hasContent, isSet, filesReceived, filesUnchanged } = download;
  if (status !== "completed" || !hasContent) return 0;
  return isSet ? filesReceived + filesUnchanged : 1;
}
