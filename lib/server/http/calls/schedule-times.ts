import { endpoints } from "../../../api/endpoints.ts";
import type { SchedulePreview } from "../../../api/schedules.ts";
import { nextRound } from "../../../util/fair-turns.ts";
import type { Caller } from "../../access/caller.ts";
import { isoTime } from "../../records/records.ts";
import type { Schedule } from "../../schedule.ts";
import type { Timing } from "../../schedules/order.ts";
import type { Schedules } from "../../schedules/schedules.ts";
import { cronOf } from "../../schedules/timetable.ts";
import type { MakeCall } from "../call.ts";
import { json } from "../json.ts";
import { selectionOf } from "./order.ts";
import { zoneOf } from "./schedule-order.ts";
import { type ScheduleLookup, seenSchedule } from "./seen-schedule.ts";

/**
 * Builds the handlers of the REST calls that compute when a schedule runs next: an existing schedule, or one
 * to be created.
 */
export function scheduleTimeCalls(call: MakeCall, options: ScheduleLookup) {
  const { schedules } = options;
  return {
    previewSchedule: call(endpoints.previewSchedule, async (c) => {
      const { caller } = c.var;
      const { count } = c.req.valid("query");
      const schedule = await seenSchedule(options, c.req.param("name"), caller);
      return json(await previewOf(schedules, schedule, caller, count));
    }),

    previewTimes: call(endpoints.previewTimes, async (c) => {
      const { cron, time_zone: zone, clients, count } = c.req.valid("json");
      const { caller } = c.var;
      const selection = selectionOf(clients);
      await schedules.requireClients(selection, caller.sites);
      const timing = { cron: cron.trim(), timeZone: zoneOf(zone), plan: { selection } };
      return json(await previewOf(schedules, timing, caller, count));
    }),
  };
}

/**
 * Returns the next times at which a schedule runs, in its own time zone or in each zone of the clients that
 * the caller may see.
 * @param count number of times in each zone
 */
async function previewOf(
  schedules: Schedules,
  timing: Timing,
  { sites }: Caller,
  count: number,
): Promise<SchedulePreview> {
  const zones = [];
  for (const timeZone of await schedules.zonesOf(timing, sites)) {
    zones.push({ time_zone: timeZone, times: timesAhead(timing, timeZone, count) });
    await nextRound();
  }
  return { zones };
}

/** Returns the next times at which a schedule runs in one time zone. */
function timesAhead(schedule: Pick<Schedule, "cron">, timeZone: string, count: number) {
  const times: { scheduled_at: string; scheduled_local: string }[] = [];
  const cron = cronOf(schedule);
  let next = cron.next(timeZone, Date.now());
  for (; next && times.length < count; next = cron.next(timeZone, next.at)) {
    for (const local of next.localTimes) {
      times.push({ scheduled_at: isoTime(next.at), scheduled_local: local });
    }
  }
  return times.slice(0, count);
}
