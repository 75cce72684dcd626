import { FdsError } from "../../../protocol/errors.ts";
import { type Caller, OutOfScope } from "../../access/caller.ts";
import { sitesOfMaker } from "../../access/maker.ts";
import type { AccessRows } from "../../access/rows.ts";
import type { Sites } from "../../access/sites.ts";
import { mayChange } from "../../records/jobs.ts";
import type { Schedule } from "../../schedule.ts";
import { scheduleNotFound, type Schedules } from "../../schedules/schedules.ts";

/** The objects that decide whether a caller may see a schedule. */
export interface ScheduleLookup {
  schedules: Schedules;
  access: Pick<AccessRows, "tokenByHash">;
}

/**
 * Returns a schedule that the caller may see: one that the caller may change, or that has deliveries of the
 * caller's sites.
 * @throws FdsError `schedule_not_found`, also if the caller may not see the schedule
 */
export async function seenSchedule(
  { schedules }: ScheduleLookup,
  name: string,
  caller: Caller,
): Promise<Schedule> {
  const schedule = await schedules.get(name);
  if (mayChange(schedule, caller)) return schedule;
  if (await schedules.latest(schedule, caller.sites)) return schedule;
  throw new OutOfScope(scheduleNotFound(), "");
}

/** Returns a schedule that the caller may change. @throws FdsError `schedule_not_found`, `forbidden` */
export async function ownSchedule(
  lookup: ScheduleLookup,
  name: string,
  caller: Caller,
): Promise<Schedule> {
  const schedule = await seenSchedule(lookup, name, caller);
  if (mayChange(schedule, caller)) return schedule;
  const message = "Use the token that made the schedule, or one that sees all sites";
  throw new FdsError("forbidden", message);
}

/**
 * Returns the clients that the token of a schedule's maker may see; null: all clients.
 * @throws FdsError `forbidden` if the token has ended
 */
export async function requireSitesOfMaker(
  { access }: ScheduleLookup,
  { createdWith }: Schedule,
): Promise<Sites | null> {
  const sites = await sitesOfMaker(createdWith, access);
  if (sites !== "none") return sites;
  const message = "Make the schedule anew, the token that made it is good no more";
  throw new FdsError("forbidden", message);
}
