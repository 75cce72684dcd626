import * as z from "zod";
import { IdPattern } from "./enrolment.ts";
import { Keep } from "./keep.ts";
import { pageLimit } from "./page-limit.ts";
import { ClientRecord, DownloadOrder, DownloadRecord, DownloadStatus } from "./schemas.ts";
import { SelectorText } from "./selector-text.ts";
import { duration } from "./sets.ts";

/* Schemas of jobs in the REST interface. A job is one request to many clients. */

const time = z.iso.datetime().meta({ description: "ISO 8601, UTC" });

/** Limits of a request for a job: the number of its ids and id patterns, and the bytes of its body. */
export const MAX_JOB_IDS = 10_000;
export const MAX_JOB_BYTES = 1024 * 1024;

export const JobStatus = z
  .enum(["running", "paused", "completed", "failed", "cancelled", "stopped"])
  .meta({
    id: "JobStatus",
    description:
      "completed: every download is; failed: all ended, not all completed; stopped: by stop_when",
  });
export type JobStatus = z.infer<typeof JobStatus>;

/** Which clients a job selects: all of them, or those that match the given ids, the given labels, or both. */
export const JobClients = z
  .strictObject({
    all: z.literal(true).optional(),
    ids: z
      .array(IdPattern)
      .max(MAX_JOB_IDS, `must be at most ${MAX_JOB_IDS} ids`)
      .optional()
      .meta({ description: "a * stands for any characters; one without must be known" }),
    labels: SelectorText.optional(),
  })
  .refine(
    ({ all, ids, labels }) => (all ?? false) !== (ids !== undefined || labels !== undefined),
    {
      message: 'give either "all", or "ids" and "labels", or one of the two',
    },
  )
  .refine(({ ids }) => ids?.length !== 0, {
    path: ["ids"],
    message: "must name at least one client",
  })
  .meta({ id: "JobClients" });

const failedPercent = z.int().min(1).max(100).meta({
  description: "so many of those that completed or failed",
});
const atLeast = z.int().min(1).meta({ description: "not before so many did" });

const StopWhen = z
  .object({ failed_percent: failedPercent, at_least: atLeast })
  .meta({ id: "StopWhen" });

const NewStopWhen = z
  .strictObject({ failed_percent: failedPercent, at_least: atLeast.default(1) })
  .meta({ id: "NewStopWhen" });

export const positiveDuration = duration.refine((ms) => ms > 0, "must be longer than nothing");
const Concurrency = z.int().min(1).max(100_000);

/** Fields of every job, whether a person requests the job or a schedule makes it. */
export const jobFields = {
  name: z.string().trim().min(1).max(200).nullable().optional(),
  clients: JobClients,
  download: DownloadOrder,
  expires_in: positiveDuration
    .nullable()
    .optional()
    .meta({ type: ["string", "null"], description: "what is queued then, or later, fails" }),
  max_concurrent: Concurrency.nullable().optional().meta({ description: "that run at once" }),
  spread: positiveDuration
    .nullable()
    .optional()
    .meta({ type: ["string", "null"], description: "over which the starts are spread" }),
  stop_when: NewStopWhen.nullable().optional(),
  keep: Keep.nullable().optional(),
};

export const NewJob = z
  .strictObject({
    ...jobFields,
    membership: z
      .enum(["snapshot", "continuous"])
      .default("snapshot")
      .meta({ description: "continuous: clients that match later join" }),
    dry_run: z.boolean().default(false).meta({ description: "only tell which clients match" }),
  })
  .refine(({ membership, expires_in }) => membership === "snapshot" || expires_in != null, {
    path: ["expires_in"],
    message: "a continuous job needs a time after which it expires",
  })
  .meta({ id: "NewJob" });
export type NewJob = z.input<typeof NewJob>;

/**
 * The number of downloads by status. This is not a z.record(), because type generators such as
 * openapi-typescript drop the keys of a record.
 */
const Counts = z.object(
  Object.fromEntries(DownloadStatus.options.map((status) => [status, z.int().min(0)])) as Record<
    DownloadStatus,
    z.ZodInt
  >,
);

/** What a request for a download contained. Fields that the request left out are missing. */
export const AskedDownload = z.object({
  file_path: z.string().optional(),
  paths: z.array(z.string()).optional(),
  exclude: z.array(z.string()).optional(),
  min_age: z.string().optional(),
  unchanged: z.string().optional(),
  strict: z.boolean().optional(),
  if_none: z.string().optional(),
  max_files: z.int().optional(),
  max_bytes: z.union([z.int(), z.string()]).optional(),
  if_offline: z.string().optional(),
  checksum: z.string().optional(),
  rate_limit: z.int().nullable().optional(),
});

export const JobRecord = z
  .object({
    job_id: z.uuid(),
    name: z.string().nullable(),
    status: JobStatus,
    clients: JobClients.meta({ description: "as asked for; others' sites are left out" }),
    membership: z.enum(["snapshot", "continuous"]),
    download: AskedDownload.meta({ description: "as asked for" }),
    created_at: time,
    created_by: z.string().nullable(),
    expires_at: time.nullable(),
    ended_at: time.nullable(),
    schedule: z.string().nullable().meta({ description: "the schedule that made it" }),
    max_concurrent: z.int().nullable(),
    spread: z.string().nullable(),
    stop_when: StopWhen.nullable(),
    keep: Keep.nullable().meta({ description: "null: as all that has no rule of its own" }),
    total: z.int().min(0).meta({ description: "clients, of those that the caller sees" }),
    counts: Counts.meta({ description: "of the newest download of each client" }),
    bytes_received: z.int().min(0),
    total_size: z.int().min(0).meta({ description: "as far as it is known" }),
    files_received: z
      .int()
      .min(0)
      .meta({ description: "of sets, and one for each completed download of a single file" }),
    files_skipped: z.int().min(0),
    may_change: z.boolean().meta({
      description: "the caller made it, or sees all sites; its role has to allow changes too",
    }),
  })
  .meta({ id: "Job" });
export type JobRecord = z.infer<typeof JobRecord>;

export const JobAccepted = z
  .object({ job_id: z.uuid(), status: JobStatus, total: z.int().min(0) })
  .meta({ id: "JobAccepted" });
export type JobAccepted = z.infer<typeof JobAccepted>;

/** The clients that a job would select, as the answer to a dry run. */
export const JobPreview = z
  .object({ total: z.int().min(0), clients: z.array(ClientRecord) })
  .meta({ id: "JobPreview" });
export type JobPreview = z.infer<typeof JobPreview>;

export const JobList = z
  .object({
    jobs: z.array(JobRecord),
    next_cursor: z.string().nullable().meta({ description: "null: there are no more" }),
  })
  .meta({ id: "JobList" });
export type JobList = z.infer<typeof JobList>;

export const JobQuery = z.strictObject({
  status: JobStatus.optional(),
  limit: pageLimit(50),
  cursor: z.uuid("must be the next_cursor of an earlier answer").optional(),
});

/** Which downloads of a job are to be run again: the failed ones, the cancelled ones, or both. */
export const Rerun = z
  .strictObject({
    statuses: z
      .array(z.enum(["failed", "cancelled"]))
      .min(1)
      .max(2)
      .optional()
      .meta({ description: "both where not given" }),
  })
  .meta({ id: "Rerun" });
export type Rerun = z.input<typeof Rerun>;

/** What can be changed about a job. */
export const JobChange = z
  .strictObject({
    expires_at: time
      .nullable()
      .optional()
      .refine((at) => at == null || Date.parse(at) > Date.now(), "must be a time to come"),
    max_concurrent: Concurrency.nullable().optional(),
  })
  .meta({ id: "JobChange" });
export type JobChange = z.input<typeof JobChange>;

/** An event in a stream of events: a changed download, client or job. */
export const ChangeEvent = z.discriminatedUnion("event", [
  z.object({ event: z.literal("download"), data: DownloadRecord }),
  z.object({ event: z.literal("client"), data: ClientRecord }),
  z.object({ event: z.literal("job"), data: JobRecord }),
]);
export type ChangeEvent = z.infer<typeof ChangeEvent>;
