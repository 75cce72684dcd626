import { momentOf } from "../../util/time-zone.ts";
import type { Due } from "../schedule.ts";

const DAY_MS = 86_400_000;

/** One time of a schedule, in one time zone. */
export interface OccurrenceTime {
  timeZone: string;
  /** The moment of `localTime` in this zone, in ms since 1970. */
  at: number;
  localTime: string;
}

/** Returns when the delivery for a time of a schedule is due, in ms since 1970. */
export function dueAt(due: Due, { timeZone, at, localTime }: OccurrenceTime): number {
  if ("afterMs" in due) return at + due.afterMs;
  const localMs = Date.parse(`${localTime}Z`);
  const sameDayMs = Date.parse(`${localTime.slice(0, 10)}T${due.at}:00Z`);
  const dueLocalMs = sameDayMs > localMs ? sameDayMs : sameDayMs + DAY_MS;
  const moment = momentOf(new Date(dueLocalMs).toISOString().slice(0, 19), timeZone);
  // A local time that is skipped when clocks go forward is moved to a later moment. If this is done with the
  // schedule's time, its moment can be later than the moment of the due time.
  return moment > at ? moment : at + (dueLocalMs - localMs);
}
