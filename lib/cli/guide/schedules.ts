import type { ScheduleRecord } from "../../api/schedules.ts";
import { listingTable } from "../terminal/listing.ts";
import { DELIVERY_COLUMNS, SCHEDULE_COLUMNS } from "../terminal/schedule-listing.ts";
import { paint } from "../terminal/terminal.ts";
import { cutToScreen } from "./fitting.ts";
import { type GuideContext, tell } from "./guide.ts";

/**
 * The maximum number of missing deliveries that are listed for a schedule. `fds deliveries` and the dashboard
 * show all of them.
 */
const MAX_LISTED = "20";

const NO_SCHEDULES = [
  "No schedule yet. The dashboard makes one, and so does:",
  `  bun run fds schedule nightly create "30 2 * * *" --due 04:00 --keep-days 90`,
];

/** Choice s of the menu: lists the schedules, and the sites that did not deliver. */
export async function showSchedules(context: GuideContext): Promise<void> {
  const { target, out, signal } = context;
  const { schedules } = await target.api.schedules(signal);
  if (schedules.length === 0) return tell(context, ...NO_SCHEDULES);
  const table = listingTable(SCHEDULE_COLUMNS, schedules, out.columns(), out.colour);
  tell(context, ...cutToScreen(table, out, "start", "bun run fds schedules"));
  for (const schedule of schedules) await showMissing(context, schedule);
}

async function showMissing(context: GuideContext, { name, latest }: ScheduleRecord): Promise<void> {
  const { target, out, signal } = context;
  if (latest === null || latest.counts.missing === 0) return;
  const date = latest.scheduled_local.slice(0, 10);
  const query = { status: "missing", from: date, to: date, limit: MAX_LISTED } as const;
  const { deliveries } = await target.api.deliveries(name, query, signal);
  const table = listingTable(DELIVERY_COLUMNS, deliveries, out.columns(), out.colour);
  const heading = paint(`Missing of ${name}`, "bold", out.colour);
  tell(context, "", heading, ...cutToScreen(table, out, "start", `bun run fds deliveries ${name}`));
}
