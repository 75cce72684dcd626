import type { JobRecord } from "../../api/jobs.ts";
import { formatSize } from "../../util/sizes.ts";
import { alignedFields } from "./labelled.ts";
import type { ListingColumn } from "./listing.ts";
import { joinFirst, NAME_COLUMNS } from "./terminal.ts";
import { formatAge, formatMoment } from "./times.ts";

/** Columns of the list of jobs. */
export const JOB_COLUMNS: ListingColumn<JobRecord>[] = [
  {
    title: "job",
    importance: 9,
    shown: ({ job_id }) => job_id,
    raw: ({ job_id }) => job_id,
  },
  {
    title: "status",
    importance: 8,
    shown: ({ status }) => ({ text: status, colour: colourOf(status) }),
    raw: ({ status }) => status,
  },
  {
    title: "name",
    importance: 5,
    minWidth: NAME_COLUMNS,
    shown: ({ name }) => name ?? "–",
    raw: ({ name }) => name,
  },
  {
    title: "clients",
    right: true,
    importance: 6,
    shown: ({ total }) => String(total),
    raw: ({ total }) => total,
  },
  {
    title: "completed",
    right: true,
    importance: 7,
    shown: ({ counts }) => String(counts.completed),
    raw: ({ counts }) => counts.completed,
  },
  {
    title: "failed",
    right: true,
    importance: 6.5,
    shown: ({ counts }) =>
      counts.failed > 0 ? { text: String(counts.failed), colour: "red" } : "0",
    raw: ({ counts }) => counts.failed,
  },
  {
    title: "cancelled",
    right: true,
    importance: 3,
    shown: ({ counts }) => String(counts.cancelled),
    raw: ({ counts }) => counts.cancelled,
  },
  {
    title: "made",
    importance: 4,
    shown: ({ created_at }) => formatAge(created_at),
    raw: ({ created_at }) => created_at,
  },
  {
    title: "expires",
    importance: 2,
    shown: ({ expires_at }) => (expires_at === null ? "never" : formatMoment(expires_at)),
    raw: ({ expires_at }) => expires_at,
  },
];

function colourOf(status: JobRecord["status"]): "dim" | "green" | "red" | "yellow" {
  switch (status) {
    case "completed":
      return "green";
    case "failed":
    case "stopped":
      return "red";
    case "paused":
      return "yellow";
    case "running":
    case "cancelled":
      return "dim";
  }
}

/** Returns lines with all fields of a job, for a terminal. */
export function jobFields(job: JobRecord, coloured: boolean): string[] {
  const { counts, status } = job;
  const moment = (time: string | null) =>
    time === null ? null : `${formatMoment(time)} (${formatAge(time)})`;
  const shownCounts = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`);
  return alignedFields(
    {
      job: job.job_id,
      name: job.name,
      status: { text: status, colour: colourOf(status) },
      for: clientsShown(job),
      clients: String(job.total),
      downloads: shownCounts.join(", ") || null,
      received: `${formatSize(job.bytes_received)} of ${formatSize(job.total_size)}`,
      "at once": job.max_concurrent === null ? null : String(job.max_concurrent),
      spread: job.spread,
      kept: job.keep && keepShown(job.keep),
      made: moment(job.created_at),
      by: job.created_by,
      expires: job.expires_at === null ? null : formatMoment(job.expires_at),
      ended: moment(job.ended_at),
    },
    coloured,
  );
}

function clientsShown({ clients: { all, ids, labels }, membership }: JobRecord): string {
  const chosen = all ? "all" : [ids && joinFirst(ids), labels].filter(Boolean).join(" with ");
  return membership === "continuous" ? `${chosen}, also those that come later` : chosen;
}

/** Returns, as text, how long the results of a job or a schedule are kept: `90 days or the last 7`. */
export function keepShown({ days, last }: NonNullable<JobRecord["keep"]>): string {
  return [
    ...(days === undefined ? [] : [days === 1 ? "1 day" : `${days} days`]),
    ...(last === undefined ? [] : [`the last ${last}`]),
  ].join(" or ");
}
