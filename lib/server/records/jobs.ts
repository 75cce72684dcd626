import type { JobRecord } from "../../api/jobs.ts";
import type { Caller } from "../access/caller.ts";
import type { Job, JobTotals } from "../job.ts";
import { isoTime } from "./records.ts";

/** A job as REST shows it to a caller. @param totals counts for the clients that the caller may see */
export function jobRecord(
  job: Job,
  totals: JobTotals,
  viewer: Pick<Caller, "sites" | "tokenHash">,
): JobRecord {
  const { stopWhen } = job;
  return {
    job_id: job.jobId,
    name: job.name,
    status: job.status,
    clients: clientsFor(job, viewer),
    membership: job.membership,
    download: job.download as JobRecord["download"],
    created_at: isoTime(job.createdAt),
    created_by: job.createdBy,
    expires_at: job.expiresAt === null ? null : isoTime(job.expiresAt),
    ended_at: job.endedAt === null ? null : isoTime(job.endedAt),
    schedule: job.occurrence?.schedule ?? null,
    max_concurrent: job.maxConcurrent,
    spread: job.spreadMs === 0 ? null : durationOf(job.spreadMs),
    stop_when: stopWhen && {
      failed_percent: stopWhen.failedPercent,
      at_least: stopWhen.atLeast,
    },
    keep: keepRecord(job),
    total: totals.total,
    counts: totals.counts,
    bytes_received: totals.bytesReceived,
    total_size: totals.totalSize,
    files_received: totals.filesReceived,
    files_skipped: totals.filesSkipped,
    may_change: mayChange(job, viewer),
  };
}

/** A rule of retention with only the fields that its request had; null: no rule. */
export function keepRecord({ keep }: Pick<Job, "keep">): JobRecord["keep"] {
  return (
    keep && {
      ...(keep.days !== null && { days: keep.days }),
      ...(keep.last !== null && { last: keep.last }),
    }
  );
}

/**
 * Reports whether a caller may change a job or schedule. The caller must have access to all sites, or use the
 * token that made the job or schedule.
 */
export function mayChange(
  { createdWith }: Pick<Job, "createdWith">,
  { sites, tokenHash }: Pick<Caller, "sites" | "tokenHash">,
): boolean {
  return sites === null || (tokenHash !== null && tokenHash === createdWith);
}

/**
 * A job's or schedule's selection, without the ids of clients that the caller may not see. A caller with the
 * token that made the job or schedule gets all ids.
 */
export function clientsFor(
  { selection, createdWith }: Pick<Job, "createdWith" | "selection">,
  viewer: Pick<Caller, "sites" | "tokenHash">,
): JobRecord["clients"] {
  const { sites } = viewer;
  if ("all" in selection || sites === null || mayChange({ createdWith }, viewer)) return selection;
  const { ids, labels } = selection;
  return {
    ...(ids && { ids: ids.filter((id) => sites.ids.has(id)) }),
    ...(labels !== undefined && { labels }),
  };
}

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
] as const;

/**
 * Formats a duration in the form that requests use, in the largest unit that divides it evenly.
 * @param ms a number of whole seconds
 */
export function durationOf(ms: number): string {
  if (ms === 0) return "0s";
  const [unit, size] = UNITS.find(([, length]) => ms % length === 0) ?? ["s", 1_000];
  return `${Math.round(ms / size)}${unit}`;
}
