import type { Download } from "../download.ts";

/** What downloads ask of their jobs, and tell them. */
export interface JobHooks {
  /** How many downloads of a job may run at the same time; 0: none may start now. */
  mostOf: (jobId: string) => Promise<number>;
  /** Called when a job's download is new, or its status changed. */
  onChange: (jobId: string, status: Download["status"]) => void;
  /**
   * Continues a job for a download that replaces an ended one.
   * @param retry makes that download, once the job is open
   * @throws FdsError `job_ended`
   */
  reopen: <T>(jobId: string, retry: () => Promise<T>) => Promise<T>;
}
