import * as z from "zod";
import { ClientId } from "../protocol/messages.ts";
import { pageLimit } from "./page-limit.ts";

/*
 * Schemas of deliveries in the REST interface: what a schedule expects of each client at each of its times.
 */

const time = z.iso.datetime().meta({ description: "ISO 8601, UTC" });

export const ShownLocalTime = z
  .string()
  .meta({ description: "on the clock there, without an offset" });

export const DeliveryStatus = z
  .enum(["expected", "running", "received", "partial", "missing", "late", "skipped"])
  .meta({
    id: "DeliveryStatus",
    description:
      "partial: files were skipped, or fewer came than expected; missing: it is due, and not there; late: it came after it was due; skipped: the client was busy with the time before",
  });
export type DeliveryStatus = z.infer<typeof DeliveryStatus>;

/**
 * The number of deliveries by status. This is not a z.record(), because type generators such as
 * openapi-typescript drop the keys of a record.
 */
export const DeliveryCounts = z.object(
  Object.fromEntries(DeliveryStatus.options.map((status) => [status, z.int().min(0)])) as Record<
    DeliveryStatus,
    z.ZodInt
  >,
);

export const DeliveryRecord = z
  .object({
    client_id: ClientId,
    scheduled_at: time,
    scheduled_local: ShownLocalTime,
    time_zone: z.string(),
    status: DeliveryStatus,
    due_at: time,
    job_id: z.uuid().nullable().meta({ description: "the job that asks for it" }),
    download_id: z.uuid().nullable(),
    files: z.int().min(0).meta({ description: "that are there, the unchanged ones too" }),
    bytes: z.int().min(0),
  })
  .meta({ id: "Delivery" });
export type DeliveryRecord = z.infer<typeof DeliveryRecord>;

export const DeliveryList = z
  .object({
    deliveries: z.array(DeliveryRecord),
    next_cursor: z.string().nullable().meta({ description: "null: there are no more" }),
  })
  .meta({ id: "DeliveryList" });
export type DeliveryList = z.infer<typeof DeliveryList>;

const bound = z
  .union(
    [z.iso.date(), z.iso.datetime()],
    "must be a local date such as 2026-11-30, or a time of UTC such as 2026-11-30T00:00:00Z",
  )
  .optional();

export const DeliveryQuery = z.strictObject({
  from: bound.meta({ description: "first local date, or time of UTC, of what is scheduled" }),
  to: bound.meta({ description: "last local date, or time of UTC" }),
  client_id: ClientId.optional(),
  status: DeliveryStatus.optional(),
  limit: pageLimit(200),
  cursor: z
    .string()
    .regex(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\/[A-Za-z0-9._-]{1,64}$/,
      "must be the next_cursor of an earlier answer",
    )
    .optional(),
});

const LOCAL_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/;

/**
 * The ids of clients by the status of their delivery. This is not a z.record(), because type generators such
 * as openapi-typescript drop the keys of a record.
 */
const ClientsByStatus = z.object(
  Object.fromEntries(DeliveryStatus.options.map((status) => [status, z.array(ClientId)])) as Record<
    DeliveryStatus,
    z.ZodArray<typeof ClientId>
  >,
);

export const BoardTime = z
  .object({
    scheduled_local: ShownLocalTime,
    clients: ClientsByStatus.meta({ description: "ids of the clients, by status" }),
    next_due_at: time.nullable().meta({
      description: "when the next expected or running delivery is due; null: there is none",
    }),
    job_ids: z.array(z.uuid()).meta({ description: "the jobs that ask for its deliveries" }),
  })
  .meta({ id: "BoardTime" });
export type BoardTime = z.infer<typeof BoardTime>;

export const DeliveryBoard = z
  .object({
    times: z.array(BoardTime),
    next_cursor: z.string().nullable().meta({ description: "null: there are no more" }),
  })
  .meta({ id: "DeliveryBoard" });
export type DeliveryBoard = z.infer<typeof DeliveryBoard>;

const boardBound = z
  .union(
    [z.iso.date(), z.string().regex(LOCAL_TIME)],
    "must be a local date such as 2026-11-30, or a local time such as 2026-11-30T02:30:00",
  )
  .optional();

export const BoardQuery = z.strictObject({
  from: boardBound.meta({ description: "first local date or time" }),
  to: boardBound.meta({ description: "last local date or time" }),
  limit: pageLimit(30),
  cursor: z.string().regex(LOCAL_TIME, "must be the next_cursor of an earlier answer").optional(),
});
