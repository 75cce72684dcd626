import { SCHEDULE_COLUMNS } from "../terminal/schedule-listing.ts";
import type { Command } from "./command.ts";
import { printListing } from "./listing.ts";

/** The command `fds schedules`, which lists all schedules. */
export const schedules: Command = {
  words: "",
  wordCount: [0, 0],
  summary: "the schedules, and how many sites did not deliver",
  flags: {},
  notes: `In a pipe: schedule, cron, zone, next time, last local time, how many delivered then and how many are
missing, with tabs between them.`,
  examples: ["schedules", "schedules --json"],
  async run(context) {
    const list = await context.api.schedules(context.interruptions.signal);
    printListing(context, list, {
      items: list.schedules,
      columns: SCHEDULE_COLUMNS,
      none: "No schedules yet, make one with fds schedule NAME create",
    });
  },
};
