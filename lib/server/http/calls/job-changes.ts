import { endpoints } from "../../../api/endpoints.ts";
import { FdsError } from "../../../protocol/errors.ts";
import type { Caller } from "../../access/caller.ts";
import type { Job } from "../../job.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import { jobRecord, mayChange } from "../../records/jobs.ts";
import type { MakeCall } from "../call.ts";
import { json } from "../json.ts";
import { seenJob } from "./seen-job.ts";

/**
 * Builds the handlers of the REST calls that change a job. They are allowed for the job's maker, and for
 * callers who see all sites.
 */
export function jobChangeCalls(call: MakeCall, jobs: Jobs) {
  return {
    changeJob: call(endpoints.changeJob, (c) => {
      const { expires_at, max_concurrent: maxConcurrent } = c.req.valid("json");
      const jobId = c.req.param("job_id");
      c.var.note({ target: jobId });
      const expiresAt = typeof expires_at === "string" ? Date.parse(expires_at) : expires_at;
      return applyChange(jobs, jobId, c.var.caller, (id) =>
        jobs.change(id, { expiresAt, maxConcurrent }),
      );
    }),

    cancelJob: call(endpoints.cancelJob, (c) => {
      c.var.note({ target: c.req.param("job_id") });
      return applyChange(jobs, c.req.param("job_id"), c.var.caller, (id) => jobs.cancel(id));
    }),

    pauseJob: call(endpoints.pauseJob, (c) => {
      c.var.note({ target: c.req.param("job_id") });
      return applyChange(jobs, c.req.param("job_id"), c.var.caller, (id) => jobs.pause(id));
    }),

    resumeJob: call(endpoints.resumeJob, (c) => {
      c.var.note({ target: c.req.param("job_id") });
      return applyChange(jobs, c.req.param("job_id"), c.var.caller, (id) => jobs.resume(id));
    }),

    rerunJob: call(endpoints.rerunJob, (c) => {
      const statuses = c.req.valid("json").statuses ?? ["failed", "cancelled"];
      c.var.note({ target: c.req.param("job_id") });
      return applyChange(jobs, c.req.param("job_id"), c.var.caller, (id) =>
        jobs.rerun(id, statuses),
      );
    }),
  };
}

/**
 * Changes a job, if the caller may, and returns its new record.
 * @throws FdsError `job_not_found`; `forbidden`
 */
async function applyChange(
  jobs: Jobs,
  jobId: string,
  caller: Caller,
  change: (jobId: string) => Promise<Job>,
) {
  const [job] = await seenJob(jobs, jobId, caller);
  if (!mayChange(job, caller)) {
    throw new FdsError("forbidden", "Use the token that made the job, or one that sees all sites");
  }
  const after = await change(jobId);
  return json(jobRecord(after, await jobs.totals(jobId, caller.sites), caller));
}
