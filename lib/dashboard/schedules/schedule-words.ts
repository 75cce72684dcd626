import type { ScheduleRecord } from "../../api/schedules.ts";
import { whatOf, whoOf } from "../jobs/job-words.ts";
import { keptOf } from "../keep/keep-rule.ts";

/* Texts about schedules. Pure. */

export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Day = (typeof DAYS)[number];

const DAY_WORDS = {
  mon: "Mon",
  tue: "Tue",
  wed: "Wed",
  thu: "Thu",
  fri: "Fri",
  sat: "Sat",
  sun: "Sun",
} satisfies Record<Day, string>;

/** A time of the day, on some days of the week. */
export interface DailyTime {
  /** `"02:30"` */
  time: string;
  days: Day[];
}

/** The cron expression of such a time. @throws Error where the time is invalid */
export function cronOf({ time, days }: DailyTime): string {
  const [hour = NaN, minute = NaN] = time.split(":").map(Number);
  if (!Number.isInteger(hour) || !Number.isInteger(minute))
    throw new Error("Say a time of the day");
  const isEveryDay = days.length === 0 || days.length === DAYS.length;
  return `${minute} ${hour} * * ${isEveryDay ? "*" : days.join(",")}`;
}

/** @returns null: the expression means more than a time of the day on some days of the week */
export function dailyTimeOf(cron: string): DailyTime | null {
  const found = /^(\d{1,2}) (\d{1,2}) \* \* (\*|[a-z]{3}(?:[,-][a-z]{3})*)$/i.exec(cron.trim());
  if (!found) return null;
  const [, minute = "", hour = "", text = ""] = found;
  if (Number(minute) > 59 || Number(hour) > 23) return null;
  const days = daysOf(text.toLowerCase());
  return days && { time: `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`, days };
}

function daysOf(text: string): Day[] | null {
  if (text === "*") return [...DAYS];
  const named = new Set<Day>();
  for (const part of text.split(",")) {
    const [first, last = first] = part
      .split("-")
      .map((name) => DAYS.findIndex((day) => day === name));
    if (first === undefined || last === undefined || first < 0 || last < first) return null;
    for (const day of DAYS.slice(first, last + 1)) named.add(day);
  }
  return DAYS.filter((day) => named.has(day));
}

/** `"every day at 02:30"`, `"Mon, Tue at 02:30"`, or the expression itself. */
export function whenOf(cron: string): string {
  const daily = dailyTimeOf(cron);
  if (!daily) return cron;
  const { time, days } = daily;
  const isEveryDay = days.length === DAYS.length;
  return `${isEveryDay ? "every day" : days.map((day) => DAY_WORDS[day]).join(", ")} at ${time}`;
}

/** `"due at 04:00"`, `"due 2h later"` */
export function dueOf({ at, after }: ScheduleRecord["due"]): string {
  return at === undefined ? `due ${after} later` : `due at ${at}`;
}

/** `"every day at 02:30, each site's own time, due at 04:00 · all sites · sales-{date}.csv · kept 90 days"` */
export function aboutOf(schedule: ScheduleRecord): string {
  const { cron, time_zone: zone, due, job, keep } = schedule;
  const where = zone === "site" ? "each site's own time" : zone;
  const kept = keptOf(keep);
  const parts = [
    `${whenOf(cron)}, ${where}, ${dueOf(due)}`,
    whoOf({ clients: job.clients, membership: "snapshot" }),
    whatOf(job),
    ...(kept === null ? [] : [kept]),
  ];
  return parts.join(" · ");
}
