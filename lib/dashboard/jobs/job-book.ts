import type { JobRecord } from "../../api/jobs.ts";

/** The known jobs: from events, and from lists that were loaded. */
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

  /** Unfinished jobs first, then ended ones, each newest first. */
  inOrder(): JobRecord[] {
    return [...this.#jobs.values()].toSorted(
      (a, b) =>
        Number(isOver(a)) - Number(isOver(b)) ||
        // Ids sort by time.
        (a.job_id < b.job_id ? 1 : -1),
    );
  }

  get size(): number {
    return this.#jobs.size;
  }

  /** Unfinished jobs. */
  get open(): JobRecord[] {
    return [...this.#jobs.values()].filter((job) => !isOver(job));
  }
}

/** Whether a job has ended, so that nothing more happens by itself. */
export function isOver({ status }: Pick<JobRecord, "status">): boolean {
  return status !== "running" && status !== "paused";
}
