import type { JobRecord } from "../../api/jobs.ts";
import type { ListingColumn } from "./listing.ts";
import { NAME_COLUMNS } from "./terminal.ts";
import { formatAge, formatMoment } from "./times.ts";

/** Jobs, one a line. */
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
    least: NAME_COLUMNS,
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
    importance: 7,
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
