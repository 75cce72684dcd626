import type { Job, JobOrder, Rerun, Selection } from "../job.ts";
import { numberOrNull } from "./rows.ts";

/** The row of a job. */
export interface JobRow {
  jobId: string;
  name: string | null;
  status: Job["status"] | "draft";
  selection: string;
  membership: Job["membership"];
  orderJson: string;
  download: string;
  createdAt: number;
  createdBy: string | null;
  createdWith: string | null;
  expiresAt: number | null;
  endedAt: number | null;
  maxConcurrent: number | null;
  spreadMs: number;
  spreadFrom: number;
  stopPercent: number | null;
  stopAtLeast: number | null;
  keepDays: number | null;
  keepLast: number | null;
  schedule: string | null;
  occursAt: number | null;
  occursLocal: string | null;
  rerun: string | null;
  unsettled: number;
  revision: number;
}

export function toJobRow(job: Job): JobRow {
  const { order, selection, download, stopWhen, keep, occurrence, rerun, unsettled, ...same } = job;
  return {
    ...same,
    selection: JSON.stringify(selection),
    orderJson: JSON.stringify(order),
    download: JSON.stringify(download),
    stopPercent: stopWhen && stopWhen.failedPercent,
    stopAtLeast: stopWhen && stopWhen.atLeast,
    keepDays: keep && keep.days,
    keepLast: keep && keep.last,
    schedule: occurrence && occurrence.schedule,
    occursAt: occurrence && occurrence.at,
    occursLocal: occurrence && occurrence.localTime,
    rerun: rerun && JSON.stringify(rerun),
    unsettled: Number(unsettled),
  };
}

/**
 * Converts a row to a job.
 * @throws Error if the job is a draft, to which clients are still being added; a draft must never be returned
 */
export function toJob(row: JobRow): Job {
  const { stopPercent, stopAtLeast, keepDays, keepLast, orderJson, status, ...rest } = row;
  const { schedule, occursAt, occursLocal: localTime, ...same } = rest;
  if (status === "draft") throw new Error(`the job "${row.jobId}" is a draft`);
  return {
    ...same,
    status,
    selection: JSON.parse(row.selection) as Selection,
    order: JSON.parse(orderJson) as JobOrder,
    download: JSON.parse(row.download) as unknown,
    createdAt: Number(row.createdAt),
    expiresAt: numberOrNull(row.expiresAt),
    endedAt: numberOrNull(row.endedAt),
    maxConcurrent: numberOrNull(row.maxConcurrent),
    spreadMs: Number(row.spreadMs),
    spreadFrom: Number(row.spreadFrom),
    stopWhen:
      stopPercent === null
        ? null
        : { failedPercent: Number(stopPercent), atLeast: Number(stopAtLeast) },
    keep:
      keepDays === null && keepLast === null
        ? null
        : { days: numberOrNull(keepDays), last: numberOrNull(keepLast) },
    occurrence: schedule === null ? null : { schedule, at: Number(occursAt), localTime },
    rerun: row.rerun === null ? null : (JSON.parse(row.rerun) as Rerun),
    unsettled: Number(row.unsettled) === 1,
    revision: Number(row.revision),
  };
}
