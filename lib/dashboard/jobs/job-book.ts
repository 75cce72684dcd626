import type { JobRecord } from "../../api/jobs.ts";

/** All jobs that the page knows, from events and from loaded lists. */
export class JobBook {
  readonly #jobs = new Map<string, JobRecord>();

  set(job: JobRecord): void {
    this.#jobs.set(job.job_id, job);
  }

  delete(jobId: string): void {
    this.#jobs.delete(jobId);
  }

  get(jobId: string): JobRecord | undefined {
    return this.#jobs.get(jobId);
  }

  /** Returns the unfinished jobs, then the ended ones, each newest first. */
  inOrder(): JobRecord[] {
    return [...this.#jobs.values()].toSorted(
      (a, b) =>
        Number(hasJobEnded(a)) - Number(hasJobEnded(b)) ||
        // Job ids sort by the time of their creation.
        (a.job_id < b.job_id ? 1 : -1),
    );
  }

  get size(): number {
    return this.#jobs.size;
  }

  /** All jobs that have not ended: running and paused ones. */
  get unfinished(): JobRecord[] {
    return [...this.#jobs.values()].filter((job) => !hasJobEnded(job));
  }
}

/** Reports whether a job has ended, successfully or not. */
export function hasJobEnded({ status }: Pick<JobRecord, "status">): boolean {
  return status !== "running" && status !== "paused";
}
