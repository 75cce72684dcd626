import type * as z from "zod";
import type {
  NewSchedule as NewScheduleBody,
  ScheduleChange as ScheduleChangeBody,
} from "../../../api/schedules.ts";
import type { Due } from "../../schedule.ts";
import type { NewSchedule, ScheduleChange } from "../../schedules/order.ts";
import { keepOf, planOf } from "./order.ts";

type ScheduleBody = z.output<typeof NewScheduleBody>;

/**
 * Converts the body of a request to a new schedule.
 * @param job the JSON that describes the schedule's jobs, unchanged from the request
 */
export function newScheduleOf(body: ScheduleBody, job: { download: unknown }): NewSchedule {
  return {
    name: body.name,
    cron: body.cron.trim(),
    timeZone: zoneOf(body.time_zone),
    plan: planOf(body.job, job.download),
    job,
    spreadMs: body.spread ?? null,
    catchUpMs: body.catch_up,
    overlap: body.overlap,
    due: dueOf(body.due),
    expect: body.expect,
    keep: keepOf(body.keep),
    isPaused: body.paused,
  };
}

/**
 * Converts the body of a request to changes of a schedule.
 * @param job the JSON that describes the schedule's jobs, unchanged from the request
 */
export function changeOf(
  body: z.output<typeof ScheduleChangeBody>,
  job: { download: unknown } | undefined,
): ScheduleChange {
  const { cron, time_zone: zone, spread, catch_up: catchUpMs, overlap, due, expect } = body;
  const { keep, paused } = body;
  return {
    ...(cron !== undefined && { cron: cron.trim() }),
    ...(zone !== undefined && { timeZone: zoneOf(zone) }),
    ...(body.job && job && { plan: planOf(body.job, job.download), job }),
    ...(spread !== undefined && { spreadMs: spread }),
    ...(catchUpMs !== undefined && { catchUpMs }),
    ...(overlap !== undefined && { overlap }),
    ...(due !== undefined && { due: dueOf(due) }),
    ...(expect !== undefined && { expect }),
    ...(keep !== undefined && { keep: keepOf(keep) }),
    ...(paused !== undefined && { isPaused: paused }),
  };
}

/** Converts the time zone of a request. @returns null for `site`: each client's own time zone */
export function zoneOf(zone: string): string | null {
  return zone === "site" ? null : zone;
}

function dueOf({ after = 0, at }: ScheduleBody["due"]): Due {
  return at === undefined ? { afterMs: after } : { at };
}
