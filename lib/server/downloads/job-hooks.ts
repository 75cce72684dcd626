import type { Download } from "../download.ts";

/** The functions of jobs that downloads call. */
export interface JobHooks {
  /** Returns how many downloads of a job may run at once; 0: none may start now. */
  mostOf: (jobId: string) => Promise<number>;
  /**
   * Called after a download of a job was made, or its status or rate limit was changed. The change is durable
   * by then, except for the claim of a download.
   * @param at when the change began, by `performance.now`. Queries may return the change from then on
   */
  onChange: (jobId: string, status: Download["status"], at: number) => void;
  /**
   * Reopens a job, so that a new download can replace an ended one.
   * @param retry makes the new download, once the job is open
   * @throws FdsError `job_ended`
   */
  reopen: <T>(jobId: string, retry: () => Promise<T>) => Promise<T>;
}
