import type { DeliveryRecord, DeliveryStatus } from "../../api/deliveries.ts";
import type { SchedulePreview, ScheduleRecord } from "../../api/schedules.ts";
import { formatSize } from "../../util/sizes.ts";
import { keepShown } from "./job-listing.ts";
import { alignedFields } from "./labelled.ts";
import type { ListingColumn } from "./listing.ts";
import { countFiles } from "./set-counts.ts";
import { joinFirst, NAME_COLUMNS } from "./terminal.ts";
import { formatMoment } from "./times.ts";

/** Columns of the list of schedules. */
export const SCHEDULE_COLUMNS: ListingColumn<ScheduleRecord>[] = [
  {
    title: "schedule",
    importance: 9,
    minWidth: NAME_COLUMNS,
    shown: ({ name }) => name,
    raw: ({ name }) => name,
  },
  {
    title: "cron",
    importance: 7,
    shown: ({ cron }) => cron,
    raw: ({ cron }) => cron,
  },
  {
    title: "zone",
    importance: 4,
    shown: ({ time_zone }) => (time_zone === "site" ? "each site's" : time_zone),
    raw: ({ time_zone }) => time_zone,
  },
  {
    title: "next",
    importance: 8,
    shown: ({ next_at, paused }) =>
      paused ? { text: "paused", colour: "yellow" } : momentOr(next_at, "never"),
    raw: ({ next_at, paused }) => (paused ? "paused" : next_at),
  },
  {
    title: "last",
    importance: 5,
    shown: ({ latest }) => (latest ? localTimeShown(latest.scheduled_local) : "–"),
    raw: ({ latest }) => latest?.scheduled_local ?? null,
  },
  {
    title: "received",
    right: true,
    importance: 6,
    shown: ({ latest }) => (latest ? String(arrivedCount(latest)) : "–"),
    raw: ({ latest }) => latest && arrivedCount(latest),
  },
  {
    title: "missing",
    right: true,
    importance: 6.5,
    shown: ({ latest }) => {
      const missing = latest?.counts.missing ?? 0;
      return missing > 0 ? { text: String(missing), colour: "red" } : String(missing);
    },
    raw: ({ latest }) => latest && latest.counts.missing,
  },
];

/** Columns of the list of deliveries. */
export const DELIVERY_COLUMNS: ListingColumn<DeliveryRecord>[] = [
  {
    title: "client",
    importance: 9,
    minWidth: NAME_COLUMNS,
    shown: ({ client_id }) => client_id,
    raw: ({ client_id }) => client_id,
  },
  {
    title: "time there",
    importance: 8,
    shown: ({ scheduled_local }) => localTimeShown(scheduled_local),
    raw: ({ scheduled_local }) => scheduled_local,
  },
  {
    title: "status",
    importance: 8.5,
    shown: ({ status }) => ({ text: status, colour: colourOf(status) }),
    raw: ({ status }) => status,
  },
  {
    title: "due",
    importance: 5,
    shown: ({ due_at }) => formatMoment(due_at),
    raw: ({ due_at }) => due_at,
  },
  {
    title: "files",
    right: true,
    importance: 6,
    shown: ({ files }) => String(files),
    raw: ({ files }) => files,
  },
  {
    title: "size",
    right: true,
    importance: 6.5,
    shown: ({ bytes }) => formatSize(bytes),
    raw: ({ bytes }) => bytes,
  },
  {
    title: "download",
    importance: 2,
    shown: ({ download_id }) => download_id ?? "–",
    raw: ({ download_id }) => download_id,
  },
];

/** Returns lines with all fields of a schedule and the times at which it runs next, for a terminal. */
export function scheduleFields(
  schedule: ScheduleRecord,
  { zones }: SchedulePreview,
  coloured: boolean,
): string[] {
  const { due, expect, job, latest, paused, paused_because } = schedule;
  const why = paused_because === "token_ended" ? "paused, the token that made it ended" : "paused";
  const counts = Object.entries(latest?.counts ?? {})
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${count} ${status}`);
  const fields = alignedFields(
    {
      schedule: schedule.name,
      status: paused ? { text: why, colour: "yellow" } : { text: "runs", colour: "green" },
      cron: schedule.cron,
      zone: schedule.time_zone === "site" ? "each site's own" : schedule.time_zone,
      for: clientsShown(job.clients),
      asks: job.download.paths?.join(" ") ?? job.download.file_path ?? "the usual file",
      due: due.at === undefined ? `after ${due.after}` : `at ${due.at} there`,
      expects: expectShown(expect),
      spread: schedule.spread,
      "made up for": `within ${schedule.catch_up}`,
      overlap: schedule.overlap,
      kept: schedule.keep && keepShown(schedule.keep),
      by: schedule.created_by,
      last: latest && `${localTimeShown(latest.scheduled_local)} there: ${counts.join(", ")}`,
    },
    coloured,
  );
  return [...fields, ...previewLines({ zones })];
}

/** Returns a line for each of the times at which a schedule runs next. */
export function previewLines({ zones }: SchedulePreview): string[] {
  if (zones.length === 0) return ["No client is meant yet, so it has no times"];
  return zones.flatMap(({ time_zone, times }) =>
    times.map(
      ({ scheduled_at, scheduled_local }) =>
        `  ${localTimeShown(scheduled_local)} in ${time_zone}, ${formatMoment(scheduled_at)} here`,
    ),
  );
}

function clientsShown({ all, ids, labels }: ScheduleRecord["job"]["clients"]): string {
  return all ? "all" : [ids && joinFirst(ids), labels].filter(Boolean).join(" with ");
}

/** Returns what a schedule expects of each client: `1 file or more`, `3 files and 1 MiB or more`. */
function expectShown({ files, bytes }: ScheduleRecord["expect"]): string {
  const count = countFiles(files);
  return `${bytes > 0 ? `${count} and ${formatSize(bytes)}` : count} or more`;
}

/** Returns the number of deliveries of an occurrence that arrived, including late and partial ones. */
function arrivedCount({ counts }: NonNullable<ScheduleRecord["latest"]>): number {
  return counts.received + counts.late + counts.partial;
}

function momentOr(time: string | null, none: string): string {
  return time === null ? none : formatMoment(time);
}

/** Formats a local time: `2026-11-30 02:30`. Seconds are added unless they are 0. */
function localTimeShown(local: string): string {
  return local.replace("T", " ").replace(/:00$/, "");
}

function colourOf(status: DeliveryStatus): "dim" | "green" | "red" | "yellow" {
  switch (status) {
    case "received":
      return "green";
    case "missing":
      return "red";
    case "late":
    case "partial":
      return "yellow";
    case "expected":
    case "running":
    case "skipped":
      return "dim";
  }
}
