import { type Caller, OutOfScope } from "../../access/caller.ts";
import type { Job, JobTotals } from "../../job.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import { jobNotFound } from "../../jobs/refusals.ts";
import { mayChange } from "../../records/jobs.ts";

/** A job, with what the caller may see of it. @throws FdsError `job_not_found` */
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
