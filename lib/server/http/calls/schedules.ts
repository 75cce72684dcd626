import { endpoints } from "../../../api/endpoints.ts";
import type { ScheduleRecord } from "../../../api/schedules.ts";
import { atOnce, type InTurn } from "../../../util/fair-turns.ts";
import type { Caller } from "../../access/caller.ts";
import { scheduleRecord } from "../../records/schedules.ts";
import type { Schedule } from "../../schedule.ts";
import type { MakeCall } from "../call.ts";
import { json } from "../json.ts";
import { listAnswer } from "../long-list.ts";
import type { Schedules } from "../../schedules/schedules.ts";
import { changeOf, newScheduleOf } from "./schedule-order.ts";
import {
  type ScheduleLookup,
  ownSchedule,
  requireSitesOfMaker,
  seenSchedule,
} from "./seen-schedule.ts";

/** Builds the handlers of the REST calls that create, show, change and delete schedules. */
export function scheduleCalls(call: MakeCall, options: ScheduleLookup) {
  const { schedules } = options;
  const recordOf = (schedule: Schedule, caller: Caller, inTurn = atOnce) =>
    scheduleRecordFor(schedules, schedule, caller, inTurn);
  return {
    createSchedule: call(endpoints.createSchedule, async (c) => {
      const body = c.req.valid("json");
      const { caller } = c.var;
      c.var.note({ target: body.name });
      const request = await c.req.json<{ job: { download: unknown } }>();
      const schedule = await schedules.create(newScheduleOf(body, request.job), caller);
      const headers = { Location: `schedules/${schedule.name}` };
      return json(await recordOf(schedule, caller), { status: 201, headers });
    }),

    listSchedules: call(endpoints.listSchedules, ({ var: { caller, answering } }) => {
      const { sites, tokenHash } = caller;
      const seenBy = sites && { sites, tokenHash };
      return listAnswer(answering, {
        name: "schedules",
        read: async (after, limit) => {
          const page = await answering.inTurn(() => schedules.list({ after, seenBy, limit }));
          const records = [];
          for (const one of page) records.push(await recordOf(one, caller, answering.inTurn));
          return records;
        },
        idOf: ({ name }) => name,
        record: (record) => record,
      });
    }),

    getSchedule: call(endpoints.getSchedule, async (c) => {
      const { caller } = c.var;
      const schedule = await seenSchedule(options, c.req.param("name"), caller);
      return json(await recordOf(schedule, caller));
    }),

    changeSchedule: call(endpoints.changeSchedule, async (c) => {
      const { caller } = c.var;
      const name = c.req.param("name");
      c.var.note({ target: name });
      const before = await ownSchedule(options, name, caller);
      const request = await c.req.json<{ job?: { download: unknown } }>();
      const change = changeOf(c.req.valid("json"), request.job);
      if (change.isPaused === false) await requireSitesOfMaker(options, before);
      const schedule = await schedules.change(name, change, caller.sites);
      return json(await recordOf(schedule, caller));
    }),

    deleteSchedule: call(endpoints.deleteSchedule, async (c) => {
      const { caller } = c.var;
      const name = c.req.param("name");
      c.var.note({ target: name });
      const record = await recordOf(await ownSchedule(options, name, caller), caller);
      await schedules.remove(name);
      return json(record);
    }),
  };
}

/**
 * Returns the record of a schedule with the time at which it runs next and its latest deliveries, as far as
 * the caller may see them.
 */
async function scheduleRecordFor(
  schedules: Schedules,
  schedule: Schedule,
  caller: Caller,
  inTurn: InTurn,
): Promise<ScheduleRecord> {
  const nextAt = await inTurn(() => schedules.nextAt(schedule, caller.sites));
  const latest = await inTurn(() => schedules.latest(schedule, caller.sites));
  return scheduleRecord(schedule, { nextAt, latest }, caller);
}
