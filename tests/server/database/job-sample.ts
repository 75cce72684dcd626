import type { Job } from "../../../lib/server/job.ts";
import { id } from "./samples.ts";

const NOW = 1_700_000_000_000;

export const JOB = id(90);

/** A job with every field filled. */
export const jobFields: Job = {
  jobId: JOB,
  name: "ü 'night'",
  status: "running",
  selection: { ids: ["site-*"], labels: "region=west" },
  membership: "continuous",
  order: { filePath: "a.log", set: null, checksum: "md5", rateLimit: 1_024, ifOffline: "fail" },
  download: { file_path: "a.log", if_offline: "fail" },
  createdAt: NOW,
  createdBy: "night",
  createdWith: "h",
  expiresAt: NOW + 10,
  endedAt: null,
  maxConcurrent: 2,
  spreadMs: 60_000,
  spreadFrom: NOW,
  keep: { days: 90, last: null },
  stopWhen: { failedPercent: 50, atLeast: 4 },
  occurrence: { schedule: "nightly", at: NOW - 5, localTime: "2023-11-14T23:13:20" },
  rerun: { statuses: ["failed"], before: id(1) },
  unsettled: true,
  revision: 1,
};
