import type { ScheduleRecord } from "../../api/schedules.ts";
import { whatOf, whoOf } from "../jobs/job-words.ts";
import { keepTextOf } from "../keep/keep-rule.ts";

/* Formats schedules as text, and converts between daily times and cron expressions. Pure functions. */

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

/** A time of day on some days of the week, which people can enter without writing a cron expression. */
export interface DailyTime {
  /** Time of day, such as `"02:30"`. */
  time: string;
  days: Day[];
}

/**
 * Converts a time of day on some days of the week to a cron expression.
 * @throws Error if the time is invalid
 */
export function cronOf({ time, days }: DailyTime): string {
  const [hour = NaN, minute = NaN] = time.split(":").map(Number);
  if (!Number.isInteger(hour) || !Number.isInteger(minute))
    throw new Error("Say a time of the day");
  const isEveryDay = days.length === 0 || days.length === DAYS.length;
  return `${minute} ${hour} * * ${isEveryDay ? "*" : days.join(",")}`;
}

/**
 * Converts a cron expression to a time of day on days of the week.
 * @returns null if the expression means anything else
 */
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
  const days = new Set<Day>();
  for (const part of text.split(",")) {
    const [first, last = first] = part
      .split("-")
      .map((name) => DAYS.findIndex((day) => day === name));
    if (first === undefined || last === undefined || first < 0 || last < first) return null;
    for (const day of DAYS.slice(first, last + 1)) days.add(day);
  }
  return DAYS.filter((day) => days.has(day));
}

/** Formats a cron expression: `"every day at 02:30"`, `"Mon, Tue at 02:30"`, or the expression itself. */
export function whenOf(cron: string): string {
  const daily = dailyTimeOf(cron);
  if (!daily) return cron;
  const { time, days } = daily;
  const isEveryDay = days.length === DAYS.length;
  return `${isEveryDay ? "every day" : days.map((day) => DAY_WORDS[day]).join(", ")} at ${time}`;
}

/** Formats when deliveries are due: `"due at 04:00"`, or `"due 2h later"`. */
export function dueOf({ at, after }: ScheduleRecord["due"]): string {
  return at === undefined ? `due ${after} later` : `due at ${at}`;
}

/**
 * Formats a schedule in one line:
 * `"every day at 02:30, each site's own time, due at 04:00 · all sites · sales-{date}.csv · kept 90 days"`.
 */
export function aboutOf(schedule: ScheduleRecord): string {
  const { cron, time_zone: zone, due, job, keep } = schedule;
  const where = zone === "site" ? "each site's own time" : zone;
  const keepText = keepTextOf(keep);
  const parts = [
    `${whenOf(cron)}, ${where}, ${dueOf(due)}`,
    whoOf({ clients: job.clients, membership: "snapshot" }),
    whatOf(job),
    ...(keepText === null ? [] : [keepText]),
  ];
  return parts.join(" · ");
}
