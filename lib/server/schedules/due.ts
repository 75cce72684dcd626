import { momentOf } from "../../util/time-zone.ts";
import type { Due } from "../schedule.ts";

const DAY_MS = 86_400_000;

/** One time of a schedule, in one time zone. */
export interface Occasion {
  timeZone: string;
  /** The moment of `localTime` in this zone, in ms since 1970. */
  at: number;
  localTime: string;
}

/** Returns when the delivery for a time of a schedule is due, in ms since 1970. */
export function dueAt(due: Due, { timeZone, at, localTime }: Occasion): number {
  if ("afterMs" in due) return at + due.afterMs;
  const wall = Date.parse(`${localTime}Z`);
  const sameDay = Date.parse(`${localTime.slice(0, 10)}T${due.at}:00Z`);
  const dueWall = sameDay > wall ? sameDay : sameDay + DAY_MS;
  const moment = momentOf(new Date(dueWall).toISOString().slice(0, 19), timeZone);
  // A local time that is skipped when clocks go forward is moved to a later moment. If this is done with the
  // schedule's time, its moment can be later than the moment of the due time.
  return moment > at ? moment : at + (dueWall - wall);
}
