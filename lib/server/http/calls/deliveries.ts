import type * as z from "zod";
import { endpoints } from "../../../api/endpoints.ts";
import type { DeliveryQuery } from "../../../api/deliveries.ts";
import { nextRound } from "../../../util/fair-turns.ts";
import { isoTime } from "../../records/records.ts";
import { deliveryRecord } from "../../records/schedules.ts";
import type { Schedule } from "../../schedule.ts";
import { cronOf } from "../../schedules/timetable.ts";
import type { MakeCall } from "../call.ts";
import { json } from "../json.ts";
import { listAnswer } from "../long-list.ts";
import { type SeeingSchedules, ownSchedule, rightOf, seenSchedule } from "./seen-schedule.ts";

/** The calls about a schedule's times and deliveries. */
export function deliveryCalls(call: MakeCall, options: SeeingSchedules) {
  const { schedules } = options;
  return {
    previewSchedule: call(endpoints.previewSchedule, async (c) => {
      const { caller } = c.var;
      const { count } = c.req.valid("query");
      const schedule = await seenSchedule(options, c.req.param("name"), caller);
      const zones = [];
      for (const timeZone of await schedules.zonesOf(schedule, caller.sites)) {
        zones.push({ time_zone: timeZone, times: timesAhead(schedule, timeZone, count) });
        await nextRound();
      }
      return json({ zones });
    }),

    runSchedule: call(endpoints.runSchedule, async (c) => {
      const name = c.req.param("name");
      c.var.note({ target: name });
      const { client_ids: clientIds, scheduled_local: localTime } = c.req.valid("json");
      const schedule = await ownSchedule(options, name, c.var.caller);
      const right = await rightOf(options, schedule);
      const order = { clientIds: clientIds ?? null, localTime: localTime ?? null, right };
      const jobs = (await schedules.run(schedule, order)).map((job) => ({
        job_id: job.jobId,
        time_zone: job.timeZone,
        scheduled_local: job.localTime,
        total: job.total,
      }));
      return json({ jobs }, { status: 202 });
    }),

    listDeliveries: call(endpoints.listDeliveries, async (c) => {
      const { caller, answering } = c.var;
      const query = c.req.valid("query");
      const { cursor, limit, client_id: clientId, status } = query;
      const schedule = await seenSchedule(options, c.req.param("name"), caller);
      const filter = { ...boundsOf(query), clientId, status, sites: caller.sites };
      return listAnswer(answering, {
        name: "deliveries",
        read: (after, count) => {
          const place = after === undefined ? undefined : placeOf(after);
          const wanted = { ...filter, after: place, limit: count };
          return schedules.deliveries(schedule, wanted, answering.inTurn);
        },
        idOf: (delivery) => `${delivery.localTime}/${delivery.clientId}`,
        record: deliveryRecord,
        page: { cursor, limit },
      });
    }),
  };
}

/** The next times of a schedule in a zone. */
function timesAhead(schedule: Schedule, timeZone: string, count: number) {
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

/** The bounds of a list: dates are local ones, times are UTC. */
function boundsOf({ from, to }: Pick<z.output<typeof DeliveryQuery>, "from" | "to">) {
  const isDate = (text: string) => text.length === 10;
  return {
    ...(from !== undefined && (isDate(from) ? { localFrom: from } : { from: Date.parse(from) })),
    ...(to !== undefined && (isDate(to) ? { localTo: `${to}T99` } : { to: Date.parse(to) })),
  };
}

function placeOf(cursor: string) {
  const [localTime = "", clientId = ""] = cursor.split("/");
  return { localTime, clientId };
}
