import type * as z from "zod";
import { endpoints } from "../../../api/endpoints.ts";
import type { DeliveryQuery } from "../../../api/deliveries.ts";
import { boardTimeRecord, deliveryRecord } from "../../records/schedules.ts";
import type { MakeCall } from "../call.ts";
import { json } from "../json.ts";
import { listAnswer } from "../long-list.ts";
import {
  type ScheduleLookup,
  ownSchedule,
  requireSitesOfMaker,
  seenSchedule,
} from "./seen-schedule.ts";

/** Builds the handlers of the REST calls that run a schedule or show its deliveries. */
export function deliveryCalls(call: MakeCall, options: ScheduleLookup) {
  const { schedules } = options;
  return {
    runSchedule: call(endpoints.runSchedule, async (c) => {
      const name = c.req.param("name");
      c.var.note({ target: name });
      const { client_ids: clientIds, scheduled_local: localTime } = c.req.valid("json");
      const schedule = await ownSchedule(options, name, c.var.caller);
      const sites = await requireSitesOfMaker(options, schedule);
      const order = { clientIds: clientIds ?? null, localTime: localTime ?? null, sites };
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

    showBoard: call(endpoints.showBoard, async (c) => {
      const { caller, answering } = c.var;
      const { from, to, cursor, limit } = c.req.valid("query");
      const schedule = await seenSchedule(options, c.req.param("name"), caller);
      const { sites } = caller;
      const localTo = to && upperBoundOf(to);
      const filter = { localFrom: from, localTo, before: cursor, sites, limit };
      const { times, next } = await schedules.board(schedule, filter, answering.inTurn);
      return json({ times: times.map(boardTimeRecord), next_cursor: next });
    }),
  };
}

/**
 * Converts the bounds of a query for deliveries. Dates are bounds of local times, other values are times in
 * UTC.
 */
function boundsOf({ from, to }: Pick<z.output<typeof DeliveryQuery>, "from" | "to">) {
  const isDate = (text: string) => text.length === 10;
  return {
    ...(from !== undefined && (isDate(from) ? { localFrom: from } : { from: Date.parse(from) })),
    ...(to !== undefined && (isDate(to) ? { localTo: upperBoundOf(to) } : { to: Date.parse(to) })),
  };
}

/**
 * Returns an upper bound for local times.
 * @param to a date, which includes all times of the day, or a local time
 */
function upperBoundOf(to: string): string {
  return to.length === 10 ? `${to}T99` : to;
}

function placeOf(cursor: string) {
  const [localTime = "", clientId = ""] = cursor.split("/");
  return { localTime, clientId };
}
