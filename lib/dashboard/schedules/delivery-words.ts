import type { DeliveryStatus } from "../../api/deliveries.ts";
import { formatCount } from "../format.ts";

/* Texts about deliveries. Pure. */

/** Names of a delivery's statuses. */
export const DELIVERY_WORDS = {
  missing: "Missing",
  partial: "Partial",
  late: "Late",
  running: "Running",
  expected: "Expected",
  skipped: "Skipped",
  received: "Received",
} satisfies Record<DeliveryStatus, string>;

/** Statuses, from the most urgent to the best. */
export const WORST_FIRST = Object.keys(DELIVERY_WORDS) as DeliveryStatus[];

/** Number of deliveries by status. */
export type DeliveryCounts = Record<DeliveryStatus, number>;

/** Whether a site owes a delivery: it is due, and missing or incomplete. */
export function isOwed(status: DeliveryStatus): boolean {
  return status === "missing" || status === "partial";
}

/** `"3 missing, 2 late of 300"`, `"all 300 received"` */
export function sumsOf(counts: DeliveryCounts): string {
  const total = WORST_FIRST.reduce((sum, status) => sum + counts[status], 0);
  if (total === 0) return "nothing expected";
  const parts = WORST_FIRST.filter((status) => status !== "received" && counts[status] > 0).map(
    (status) => `${formatCount(counts[status])} ${DELIVERY_WORDS[status].toLowerCase()}`,
  );
  if (parts.length > 0) return `${parts.join(", ")} of ${formatCount(total)}`;
  return total === 1 ? "received" : `all ${formatCount(total)} received`;
}

/** The worst status among these; null: there are none. */
export function worstOf(counts: DeliveryCounts): DeliveryStatus | null {
  return WORST_FIRST.find((status) => counts[status] > 0) ?? null;
}

const month = new Intl.DateTimeFormat("en", { month: "short", timeZone: "UTC" });
const weekday = new Intl.DateTimeFormat("en", { weekday: "short", timeZone: "UTC" });
const night = new Intl.DateTimeFormat("en", {
  weekday: "short",
  month: "short",
  day: "numeric",
  timeZone: "UTC",
});

/** The parts of a local time in the head of a column. */
export interface NightParts {
  month: string;
  weekday: string;
  day: string;
  /** `"02:30"`, with seconds unless they are 0. */
  time: string;
}

/** @param local a time without an offset: `2026-11-30T02:30:00` */
export function partsOf(local: string): NightParts {
  const at = asUtc(local);
  const time = local.slice(11);
  return {
    month: month.format(at),
    weekday: weekday.format(at),
    day: String(at.getUTCDate()),
    time: time.endsWith(":00") ? time.slice(0, 5) : time,
  };
}

/** A local time as text: `"Mon, Nov 30, 02:30"`. @param local without an offset */
export function nightWords(local: string): string {
  return `${night.format(asUtc(local))}, ${partsOf(local).time}`;
}

/** A local time, taken for UTC so that no zone moves it. */
function asUtc(local: string): Date {
  return new Date(`${local}Z`);
}
