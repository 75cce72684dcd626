import { type Caller, OutOfScope } from "../../access/caller.ts";
import type { Job, JobTotals } from "../../job.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import { jobNotFound } from "../../jobs/refusals.ts";
import { mayChange } from "../../records/jobs.ts";

/**
 * Returns a job, with the counts of those of its downloads that the caller may see.
 * @throws FdsError `job_not_found`, also if the caller may not see the job
 */
export async function seenJob(
  jobs: Pick<Jobs, "get" | "totals">,
  jobId: string,
  caller: Caller,
): Promise<[Job, JobTotals]> {
  const job = await jobs.get(jobId);
  const totals = await jobs.totals(jobId, caller.sites);
  if (totals.total === 0 && !mayChange(job, caller)) throw new OutOfScope(jobNotFound(), "");
  return [job, totals];
}
