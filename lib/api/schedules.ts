import * as z from "zod";
import { DeliveryCounts, ShownLocalTime } from "./deliveries.ts";
import { ClientId } from "../protocol/messages.ts";
import { Cron, MAX_CRON_LENGTH } from "../util/cron.ts";
import { isTimeZone } from "../util/time-zone.ts";
import { AskedDownload, JobClients, jobFields, positiveDuration } from "./jobs.ts";
import { Keep } from "./keep.ts";
import { duration, size } from "./sets.ts";

/*
 * Schemas of schedules in the REST interface. A schedule makes jobs at certain times and expects deliveries.
 */

const time = z.iso.datetime().meta({ description: "ISO 8601, UTC" });

/** Maximum number of client ids in a request to run a schedule. */
const MAX_IDS = 1_000;

/** Largest `catch_up` of a schedule, in ms. A run that was missed is made up for within this time. */
const MAX_CATCH_UP_MS = 30 * 86_400_000;

/** Maximum number of future times that a preview of a schedule shows for each time zone. */
const MAX_PREVIEW = 100;

export const ScheduleName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    "must be 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit",
  );

const CronText = z
  .string()
  .max(MAX_CRON_LENGTH, `must be at most ${MAX_CRON_LENGTH} characters`)
  .superRefine((text, context) => {
    const cron = Cron.parse(text);
    if (typeof cron === "string") context.addIssue({ code: "custom", message: cron });
  })
  .meta({
    description: "minute, hour, day, month and day of the week, or @daily and the like",
  });

const ScheduleZone = z
  .string()
  .max(64)
  .refine(
    (text) => text === "site" || isTimeZone(text),
    'must be "site", or the IANA name of a time zone, such as "Europe/Berlin"',
  )
  .meta({ description: "site: each client at its own local time" });

const LOCAL_TIME_EXPECTED = "must be a local time such as 2026-11-30T02:30";

const LocalTime = z
  .string()
  .regex(/^[\dT:-]{16,19}$/, LOCAL_TIME_EXPECTED)
  .transform((text) => (text.length === 16 ? `${text}:00` : text))
  .refine((text) => isLocalTime(text), LOCAL_TIME_EXPECTED)
  .meta({ type: "string", description: "on the clock at the client" });

const CLOCK_EXPECTED = 'must be a time of the day such as "04:00"';

/** When a delivery is due: a given span after the scheduled time, or at a time of the day. */
const Due = z
  .strictObject({
    after: duration.optional().meta({ description: "so long after its time" }),
    at: z
      .string()
      .regex(/^[0-2]\d:[0-5]\d$/, CLOCK_EXPECTED)
      .refine((text) => text < "24", CLOCK_EXPECTED)
      .optional()
      .meta({ description: "at this local time, that day or the next" }),
  })
  .refine(({ after, at }) => (after === undefined) !== (at === undefined), {
    message: 'give either "after" or "at"',
  })
  .meta({ id: "NewDue" });

const NewExpect = z
  .strictObject({
    files: z.int().min(0).default(1),
    bytes: size.default(0),
  })
  .meta({ id: "NewExpect", description: "least that is to come from each client" });

/** The job that a schedule makes at each of its times. */
export const ScheduledJob = z
  .strictObject({
    ...jobFields,
    membership: z
      .literal("snapshot", "must be snapshot: a schedule chooses its clients anew each time")
      .default("snapshot"),
  })
  .meta({ id: "ScheduledJob" });

const scheduleFields = {
  cron: CronText,
  time_zone: ScheduleZone,
  job: ScheduledJob,
  spread: positiveDuration
    .nullable()
    .meta({ type: ["string", "null"], description: "over which the starts are spread" }),
  catch_up: duration
    .refine((ms) => ms <= MAX_CATCH_UP_MS, "must be at most 30d")
    .meta({ description: "a time that was missed is made up for within it" }),
  overlap: z
    .enum(["skip", "allow"])
    .meta({ description: "what becomes of a client that is busy with the time before" }),
  due: Due,
  expect: NewExpect,
  keep: Keep.nullable(),
  paused: z.boolean(),
};

export const NewSchedule = z
  .strictObject({
    ...scheduleFields,
    name: ScheduleName,
    time_zone: scheduleFields.time_zone.default("site"),
    spread: scheduleFields.spread.optional(),
    catch_up: scheduleFields.catch_up.prefault("6h"),
    overlap: scheduleFields.overlap.default("skip"),
    due: Due.prefault({ after: "2h" }),
    expect: NewExpect.prefault({}),
    keep: scheduleFields.keep.optional(),
    paused: z.boolean().default(false),
  })
  .meta({ id: "NewSchedule" });
export type NewSchedule = z.input<typeof NewSchedule>;

/** What can be changed about a schedule. */
export const ScheduleChange = z
  .strictObject(scheduleFields)
  .partial()
  .meta({ id: "ScheduleChange" });
export type ScheduleChange = z.input<typeof ScheduleChange>;

/** What a request for a job contained. Fields that the request left out are missing. */
const AskedJob = z.object({
  name: z.string().nullable().optional(),
  clients: JobClients.meta({ description: "as asked for; others' sites are left out" }),
  membership: z.string().optional(),
  download: AskedDownload,
  expires_in: z.string().nullable().optional(),
  max_concurrent: z.int().nullable().optional(),
  spread: z.string().nullable().optional(),
  keep: Keep.nullable().optional(),
  stop_when: z
    .object({ failed_percent: z.int(), at_least: z.int().optional() })
    .nullable()
    .optional(),
});

export const ScheduleRecord = z
  .object({
    name: ScheduleName,
    cron: z.string(),
    time_zone: z.string().meta({ description: "site: each client at its own local time" }),
    job: AskedJob.meta({ description: "as asked for" }),
    spread: z.string().nullable(),
    catch_up: z.string(),
    overlap: z.enum(["skip", "allow"]),
    due: z.object({ after: z.string().optional(), at: z.string().optional() }),
    expect: z.object({ files: z.int().min(0), bytes: z.int().min(0) }),
    keep: Keep.nullable(),
    paused: z.boolean(),
    paused_because: z
      .enum(["by_hand", "token_ended"])
      .nullable()
      .meta({ description: "token_ended: the token that made it is good no more" }),
    created_at: time,
    created_by: z.string().nullable(),
    next_at: time.nullable().meta({ description: "null: never, or it is paused" }),
    latest: z
      .object({ scheduled_local: ShownLocalTime, counts: DeliveryCounts })
      .nullable()
      .meta({ description: "how it stands with its newest local time; null: it had none" }),
    may_change: z.boolean().meta({
      description: "the caller made it, or sees all sites; its role has to allow changes too",
    }),
  })
  .meta({ id: "Schedule" });
export type ScheduleRecord = z.infer<typeof ScheduleRecord>;

export const ScheduleList = z.object({ schedules: z.array(ScheduleRecord) }).meta({
  id: "ScheduleList",
});
export type ScheduleList = z.infer<typeof ScheduleList>;

const previewCount = z.int().min(1).max(MAX_PREVIEW).default(5);

/** A request to preview the times that a new schedule would have. */
export const NewPreview = z
  .strictObject({
    cron: CronText,
    time_zone: ScheduleZone.default("site"),
    clients: JobClients.prefault({ all: true }),
    count: previewCount.meta({ description: "times in each zone" }),
  })
  .meta({ id: "NewPreview" });
export type NewPreview = z.input<typeof NewPreview>;

export const PreviewQuery = z.strictObject({
  count: z
    .string()
    .regex(/^[1-9]\d{0,2}$/, `must be a whole number from 1 to ${MAX_PREVIEW}`)
    .transform(Number)
    .refine((count) => count <= MAX_PREVIEW, `must be a whole number from 1 to ${MAX_PREVIEW}`)
    .default(5)
    .meta({ type: "integer", minimum: 1, maximum: MAX_PREVIEW, description: "5 where not given" }),
});

export const SchedulePreview = z
  .object({
    zones: z.array(
      z.object({
        time_zone: z.string(),
        times: z.array(z.object({ scheduled_at: time, scheduled_local: ShownLocalTime })),
      }),
    ),
  })
  .meta({ id: "SchedulePreview" });
export type SchedulePreview = z.infer<typeof SchedulePreview>;

/**
 * A request to run a schedule immediately, for certain clients or for all of its clients. The run is for the
 * present time, or repeats one of the schedule's past times.
 */
export const ScheduleRun = z
  .strictObject({
    client_ids: z
      .array(ClientId)
      .min(1, "must name at least one client")
      .max(MAX_IDS, `must be at most ${MAX_IDS} ids`)
      .optional(),
    scheduled_local: LocalTime.optional().meta({
      type: "string",
      description: "one of its times again, with its dates, such as 2026-11-30T02:30",
    }),
  })
  .meta({ id: "ScheduleRun" });
export type ScheduleRun = z.input<typeof ScheduleRun>;

export const ScheduleRunAnswer = z
  .object({
    jobs: z.array(
      z.object({
        job_id: z.uuid(),
        time_zone: z.string(),
        scheduled_local: ShownLocalTime,
        total: z.int().min(1).meta({ description: "clients that are asked" }),
      }),
    ),
  })
  .meta({ id: "ScheduleRunAnswer" });
export type ScheduleRunAnswer = z.infer<typeof ScheduleRunAnswer>;

/** Reports whether a text is a valid local date and time, such as `2026-11-30T02:30`. */
function isLocalTime(text: string): boolean {
  const utcMs = Date.parse(`${text}Z`);
  return !Number.isNaN(utcMs) && new Date(utcMs).toISOString().startsWith(text);
}
