import { FdsError } from "../../protocol/errors.ts";
import type { Job } from "../job.ts";
import { hasExpired, isEnded } from "./status.ts";

/** Makes the error for an id that no job has, or whose job the caller may not see. */
export function jobNotFound(): FdsError {
  return new FdsError("job_not_found", "There is no job with this id");
}

/** Checks that a job has not ended. @throws FdsError `job_ended` */
export function requireOpen(job: Job): Job {
  if (isEnded(job)) throw new FdsError("job_ended", `The job is ${job.status} already`);
  return job;
}

/** Checks that a job has not expired. @throws FdsError `job_ended` */
export function requireUnexpired(job: Job): Job {
  if (!hasExpired(job, Date.now())) return job;
  throw new FdsError("job_ended", "The job has expired, set a later expires_at first");
}
