import type {
  NewPreview,
  NewSchedule,
  ScheduleChange,
  ScheduleRecord,
} from "../../api/schedules.ts";
import { choiceOf, downloadOf, type SitesBy } from "../jobs/job-order.ts";
import { type KeepFields, keepRuleOf, keepTextOf } from "../keep/keep-rule.ts";
import { cronOf, dailyTimeOf, type Day, DAYS, dueOf, whenOf } from "./schedule-words.ts";

/* Converts the fields of the schedule form to REST requests, and back. Pure functions. */

/** The fields of the schedule form, as typed. */
export interface ScheduleFields extends KeepFields {
  name: string;
  when: "daily" | "cron";
  /** Local time of day, such as `"02:30"`. */
  time: string;
  days: Day[];
  cron: string;
  /** IANA time zone for all sites; `""` means each site's own zone. */
  zone: string;
  sitesBy: SitesBy;
  /**
   * The selected sites: a label selector, or client ids and patterns of ids such as `till-*`, depending on
   * `sitesBy`. Ids are separated by spaces or commas.
   */
  sites: string;
  /** Path of a file, or patterns of a set, one per line. */
  what: string;
  skipsUnchanged: boolean;
  due: "at" | "after";
  /** Local time at which deliveries are due, such as `"04:00"`. */
  dueAt: string;
  /** Duration from the scheduled time until deliveries are due, such as `"2h"`. */
  dueAfter: string;
  expectFiles: string;
  expectBytes: string;
  spread: string;
  catchUp: string;
  mayOverlap: boolean;
}

/** Initial fields of the form for a new schedule: every night at 2:30, due at 4:00, kept for 90 days. */
export const DEFAULT_FIELDS: Readonly<ScheduleFields> = {
  name: "nightly",
  when: "daily",
  time: "02:30",
  days: [...DAYS],
  cron: "30 2 * * *",
  zone: "",
  sitesBy: "all",
  sites: "",
  what: "file_to_download.txt",
  skipsUnchanged: true,
  due: "at",
  dueAt: "04:00",
  dueAfter: "2h",
  keepDays: "90",
  keepLast: "",
  expectFiles: "1",
  expectBytes: "0",
  spread: "",
  catchUp: "6h",
  mayOverlap: false,
};

/** Returns the form fields that show an existing schedule. */
export function fieldsOf(schedule: ScheduleRecord): ScheduleFields {
  const { name, cron, time_zone: zone, due, keep, expect, spread, catch_up, overlap } = schedule;
  const { clients, download } = schedule.job;
  const daily = dailyTimeOf(cron);
  return {
    name,
    when: daily ? "daily" : "cron",
    time: daily?.time ?? DEFAULT_FIELDS.time,
    days: daily?.days ?? DEFAULT_FIELDS.days,
    cron,
    zone: zone === "site" ? "" : zone,
    sitesBy: clients.ids ? "ids" : clients.labels === undefined ? "all" : "labels",
    sites: clients.ids?.join(", ") ?? clients.labels ?? "",
    what: download.paths?.join("\n") ?? download.file_path ?? "",
    skipsUnchanged: download.unchanged === "skip",
    due: due.at === undefined ? "after" : "at",
    dueAt: due.at ?? DEFAULT_FIELDS.dueAt,
    dueAfter: due.after ?? DEFAULT_FIELDS.dueAfter,
    keepDays: keep?.days?.toString() ?? "",
    keepLast: keep?.last?.toString() ?? "",
    expectFiles: String(expect.files),
    expectBytes: String(expect.bytes),
    spread: spread ?? "",
    catchUp: catch_up,
    mayOverlap: overlap === "allow",
  };
}

/**
 * Returns the request that creates a schedule; null if no sites are selected.
 * @throws Error if a time is missing
 */
export function orderOf(fields: ScheduleFields): NewSchedule | null {
  const choice = choiceOf(fields);
  if (choice === null) return null;
  const { ids, ...others } = choice;
  return {
    name: fields.name.trim(),
    cron: fields.when === "cron" ? fields.cron.trim() : cronOf(fields),
    time_zone: fields.zone.trim() || "site",
    job: {
      clients: { ...others, ...(ids && { ids: [...ids] }) },
      download: downloadOf(fields),
    },
    due: fields.due === "at" ? { at: fields.dueAt } : { after: fields.dueAfter.trim() },
    keep: keepRuleOf(fields),
    expect: { files: Number(fields.expectFiles), bytes: Number(fields.expectBytes) },
    spread: fields.spread.trim() || null,
    catch_up: fields.catchUp.trim() || "6h",
    overlap: fields.mayOverlap ? "allow" : "skip",
  };
}

/**
 * Returns the request that changes a schedule to the form's fields. It contains only differences, and keeps
 * settings that the form does not show.
 * @returns null if no sites are selected; an empty object if nothing has changed
 * @throws Error if a time is missing
 */
export function changeOf(fields: ScheduleFields, before: ScheduleRecord): ScheduleChange | null {
  const order = orderOf(fields);
  if (order === null) return null;
  const { name: _, job, ...rest } = order;
  const oldFields = fieldsOf(before);
  const isSame = (names: (keyof ScheduleFields)[]) =>
    names.every((name) => JSON.stringify(fields[name]) === JSON.stringify(oldFields[name]));
  const oldJob = before.job as NewSchedule["job"];
  const clients = isSame(["sitesBy", "sites"]) ? oldJob.clients : job.clients;
  const { file_path: _file, paths: _paths, unchanged: _unchanged, ...others } = oldJob.download;
  const download = isSame(["what", "skipsUnchanged"])
    ? oldJob.download
    : { ...others, ...job.download };
  const change = { ...rest, job: { ...oldJob, clients, download } };
  const record = before as unknown as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(change).filter(
      ([field, value]) => JSON.stringify(value) !== JSON.stringify(record[field]),
    ),
  );
}

/**
 * Returns the request for the next times of the schedule in the form; null if its time or sites are missing.
 */
export function previewOf(fields: ScheduleFields): NewPreview | null {
  const { when, time, cron, zone } = fields;
  const choice = choiceOf(fields);
  // A cron expression that neither begins with `@` nor has five fields is not completely typed, so no times
  // are requested. The server checks every other expression.
  const hasTime = when === "cron" ? /^(?:@|\S+(?:\s+\S+){4}$)/.test(cron.trim()) : time !== "";
  if (choice === null || !hasTime) return null;
  const { ids, ...others } = choice;
  return {
    cron: when === "cron" ? cron.trim() : cronOf(fields),
    time_zone: zone.trim() || "site",
    clients: { ...others, ...(ids && { ids: [...ids] }) },
  };
}

/** Returns the meaning of the form's fields as a sentence; `""` while a time is missing. */
export function sentenceOf(fields: ScheduleFields): string {
  const { when, cron, zone, due, dueAt, dueAfter } = fields;
  if (when === "daily" && fields.time === "") return "";
  const time = when === "cron" ? cron : whenOf(cronOf(fields));
  const where = zone.trim() === "" ? "by each site's own clock" : `by the clock of ${zone.trim()}`;
  const keepText = keepTextOf(keepRuleOf(fields));
  const words = [
    `${time} ${where}`,
    dueOf(due === "at" ? { at: dueAt } : { after: dueAfter }),
    ...(keepText === null ? [] : [keepText]),
  ].join(", ");
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}
