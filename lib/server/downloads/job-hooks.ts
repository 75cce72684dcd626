import type { Download } from "../download.ts";

/** What jobs limit and hear of their downloads. */
export interface JobHooks {
  /** How many downloads of a job may run at once; 0: none may be started now. */
  mostOf: (jobId: string) => Promise<number>;
  /** A download of a job is new, or its status is another. */
  onChange: (jobId: string, status: Download["status"]) => void;
  /**
   * A job gets another download of a client, in place of one that ended: it goes on.
   * @param retry makes that download, once the job is open
   * @throws FdsError `job_ended`
   */
  reopen: <T>(jobId: string, retry: () => Promise<T>) => Promise<T>;
}
