import type { Job } from "../../lib/server/job.ts";

/** Makes a running job with default values. @param fields replace the defaults */
export function plainJob(fields: Partial<Job>): Job {
  return {
    jobId: "0198c0de-0000-7000-8000-000000000001",
    name: null,
    status: "running",
    selection: { all: true },
    membership: "snapshot",
    order: { filePath: "a", set: null, checksum: "md5", rateLimit: null, ifOffline: "wait" },
    download: {},
    createdAt: 0,
    createdBy: null,
    createdWith: null,
    expiresAt: null,
    endedAt: null,
    maxConcurrent: null,
    spreadMs: 0,
    spreadFrom: 0,
    stopWhen: null,
    keep: null,
    occurrence: null,
    rerun: null,
    unsettled: false,
    revision: 1,
    ...fields,
  };
}
