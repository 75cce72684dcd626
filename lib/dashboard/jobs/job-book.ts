import type { JobRecord } from "../../api/jobs.ts";

/** The jobs that are known: those that events told of, and those that were asked for. */
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

  /** Those that go on first, then those that ended, each newest first. */
  inOrder(): JobRecord[] {
    return [...this.#jobs.values()].toSorted(
      (a, b) =>
        Number(isOver(a)) - Number(isOver(b)) ||
        // Ids are in the order of time.
        (a.job_id < b.job_id ? 1 : -1),
    );
  }

  get size(): number {
    return this.#jobs.size;
  }

  /** Those that go on. */
  get open(): JobRecord[] {
    return [...this.#jobs.values()].filter((job) => !isOver(job));
  }
}

/** Whether nothing more comes of a job by itself. */
export function isOver({ status }: Pick<JobRecord, "status">): boolean {
  return status !== "running" && status !== "paused";
}
