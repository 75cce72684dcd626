import type { DownloadRecord } from "../../api/schemas.ts";
import type { BarState } from "./progress.ts";
import { shortId } from "./download-listing.ts";
import { fileProgressOf } from "./set-counts.ts";

const TONES: Partial<Record<DownloadRecord["status"], BarState["tone"]>> = {
  completed: "good",
  failed: "bad",
  cancelled: "bad",
};

/**
 * Returns the progress bar of a download.
 * @param isPaused whether the download's job is paused, so that a queued download does not start
 */
export function barOf(record: DownloadRecord, isPaused = false): BarState {
  const isShownPaused = isPaused && record.status === "queued";
  const files = fileProgressOf(record);
  return {
    label: record.client_id,
    done: record.bytes_received,
    total: record.total_size,
    ...(files && { files }),
    bytesPerSecond: record.bytes_per_second,
    etaSeconds: record.eta_seconds,
    note: isShownPaused ? "paused" : noteOf(record),
    // Only a queued download's error is shown, as it tells why the download waits. Failures are reported in
    // full at the end.
    ...(record.status === "queued" &&
      !isShownPaused &&
      record.error !== null && { reason: record.error }),
    tone: TONES[record.status] ?? "active",
  };
}

function noteOf({ status, kind, total_size }: DownloadRecord): string | null {
  if (status !== "downloading") return status;
  if (total_size !== null) return null;
  return kind === "set" ? "listing" : "starting";
}

/**
 * Returns one progress bar for the sum of many downloads.
 * @param records the records that the server has sent so far
 * @param count the number of all downloads, including those without a record
 * @param pausedJobId id of the downloads' job while the job is paused, otherwise null
 */
export function totalBarOf(
  records: DownloadRecord[],
  count: number,
  pausedJobId: string | null = null,
): BarState {
  const sum = (value: (record: DownloadRecord) => number) =>
    records.reduce((total, record) => total + value(record), 0);
  const ended = records.filter(({ status }) => TONES[status] !== undefined);
  const notCompleted = (["failed", "cancelled"] as const).flatMap((endStatus) => {
    const endedCount = ended.filter(({ status }) => status === endStatus).length;
    return endedCount > 0 ? [`${endedCount} ${endStatus}`] : [];
  });
  const isSized = ({ status, total_size }: DownloadRecord) =>
    total_size !== null || TONES[status] !== undefined;
  const done = sum(({ bytes_received }) => bytes_received);
  const total =
    records.length === count && records.every(isSized)
      ? sum(({ status, total_size, bytes_received }) =>
          TONES[status] === "bad" ? bytes_received : (total_size ?? 0),
        )
      : null;
  const rate = sum((record) =>
    record.status === "downloading" ? (record.bytes_per_second ?? 0) : 0,
  );
  const allEnded = ended.length === count;
  return {
    label: `${ended.length} of ${count}`,
    done,
    total,
    share: sum(({ status, percent }) => (TONES[status] ? 1 : (percent ?? 0) / 100)) / count,
    bytesPerSecond: allEnded ? null : rate,
    etaSeconds: total !== null && rate > 0 ? (total - done) / rate : null,
    note: notCompleted.join(", ") || (allEnded ? "completed" : null),
    ...(pausedJobId !== null && !allEnded && pausedNote(pausedJobId)),
    tone: notCompleted.length > 0 ? "bad" : allEnded ? "good" : "active",
  };
}

/** Returns the text for the bar of a paused job, with the command that resumes the job. */
export function pausedNote(jobId: string): Pick<BarState, "note" | "reason"> {
  return { note: "paused", reason: `until fds job ${shortId(jobId)} resume` };
}
