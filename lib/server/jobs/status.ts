import type { Job, JobStatus, JobTotals } from "../job.ts";

/*
 * The status of a job. Operators run, pause and cancel jobs, and too many failures stop them. Whether a job
 * is completed or failed follows from its downloads.
 */

/** Reports whether a job has expired. Its queued downloads are then no longer started. */
export function hasExpired({ expiresAt }: Pick<Job, "expiresAt">, now: number): boolean {
  return expiresAt !== null && expiresAt <= now;
}

/** Reports whether a job has ended. A rerun or a retry reopens it. */
export function isEnded({ status }: Pick<Job, "status">): boolean {
  return status !== "running" && status !== "paused";
}

/** Reports whether no more downloads of a job may start. */
export function forbidsStarts(job: Pick<Job, "status" | "expiresAt">, now: number): boolean {
  return job.status === "cancelled" || job.status === "stopped" || hasExpired(job, now);
}

/** Returns the status that a job has with these totals of its downloads. */
export function statusOf(job: Job, { total, counts }: JobTotals, now: number): JobStatus {
  if (job.status === "cancelled" || job.status === "stopped") return job.status;
  const isUnended = counts.queued + counts.downloading + counts.verifying > 0;
  const isJoinable = job.membership === "continuous" && !hasExpired(job, now);
  if (isUnended || isJoinable || job.rerun !== null) {
    return job.status === "paused" ? "paused" : "running";
  }
  return counts.completed === total ? "completed" : "failed";
}

/** Reports whether so many downloads of a job failed that no other may start. */
export function hasToStop({ status, stopWhen }: Job, { counts }: JobTotals): boolean {
  if (stopWhen === null || isEnded({ status })) return false;
  const tried = counts.completed + counts.failed;
  return tried >= stopWhen.atLeast && counts.failed * 100 >= tried * stopWhen.failedPercent;
}
