import type { DeliveryStatus } from "../../api/deliveries.ts";
import { formatCount } from "../format.ts";

/* Formats deliveries and scheduled times as text. Pure functions. */

/** Names of a delivery's statuses on the page, from the most urgent to the best. */
export const DELIVERY_WORDS = {
  missing: "Missing",
  partial: "Partial",
  late: "Late",
  running: "Running",
  expected: "Expected",
  skipped: "Skipped",
  received: "Received",
} satisfies Record<DeliveryStatus, string>;

/** All statuses of a delivery, from the most urgent to the best. */
export const WORST_FIRST = Object.keys(DELIVERY_WORDS) as DeliveryStatus[];

/** The number of deliveries with each status. */
export type DeliveryCounts = Record<DeliveryStatus, number>;

/** Reports whether a delivery with this status is missing or incomplete: its site still owes files. */
export function owesFiles(status: DeliveryStatus): boolean {
  return status === "missing" || status === "partial";
}

/** Formats counts of deliveries: `"3 missing, 2 late of 300"`, or `"all 300 received"`. */
export function summaryOf(counts: DeliveryCounts): string {
  const total = WORST_FIRST.reduce((sum, status) => sum + counts[status], 0);
  if (total === 0) return "nothing expected";
  const parts = WORST_FIRST.filter((status) => status !== "received" && counts[status] > 0).map(
    (status) => `${formatCount(counts[status])} ${DELIVERY_WORDS[status].toLowerCase()}`,
  );
  if (parts.length > 0) return `${parts.join(", ")} of ${formatCount(total)}`;
  return total === 1 ? "received" : `all ${formatCount(total)} received`;
}

/** Returns the worst status that any delivery has; null if there are no deliveries. */
export function worstOf(counts: DeliveryCounts): DeliveryStatus | null {
  return WORST_FIRST.find((status) => counts[status] > 0) ?? null;
}

const month = new Intl.DateTimeFormat("en", { month: "short", timeZone: "UTC" });
const weekday = new Intl.DateTimeFormat("en", { weekday: "short", timeZone: "UTC" });
const date = new Intl.DateTimeFormat("en", {
  weekday: "short",
  month: "short",
  day: "numeric",
  timeZone: "UTC",
});

/** The parts of a scheduled time that the head of a column shows. */
export interface TimeParts {
  month: string;
  weekday: string;
  day: string;
  /** The time of day, such as `"02:30"`, with seconds only if they are not 0. */
  time: string;
}

/** Splits a local time for the head of a column. @param local without an offset: `2026-11-30T02:30:00` */
export function partsOf(local: string): TimeParts {
  const at = asUtc(local);
  const time = local.slice(11);
  return {
    month: month.format(at),
    weekday: weekday.format(at),
    day: String(at.getUTCDate()),
    time: time.endsWith(":00") ? time.slice(0, 5) : time,
  };
}

/** Formats a local time: `"Mon, Nov 30, 02:30"`. @param local without an offset: `2026-11-30T02:30:00` */
export function timeWords(local: string): string {
  return `${date.format(asUtc(local))}, ${partsOf(local).time}`;
}

/** Parses a local time as if it were UTC, so that formatting in UTC gives the same local time. */
function asUtc(local: string): Date {
  return new Date(`${local}Z`);
}
