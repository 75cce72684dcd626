import { WEBHOOK_COLUMNS } from "../terminal/webhook-listing.ts";
import type { Command } from "./command.ts";
import { printListing } from "./listing.ts";

/** The command `fds webhooks`, which lists all webhooks. */
export const webhooks: Command = {
  words: "",
  wordCount: [0, 0],
  summary: "the URLs that are told of events",
  flags: {},
  notes: `In a pipe: name, status, how many messages wait, URL, events and making, with tabs between them.`,
  examples: ["webhooks", "webhooks --json"],
  async run(context) {
    const items = await context.api.webhooks.list(context.interruptions.signal);
    const none = "No webhooks yet, make one with fds webhook create NAME --url URL --event EVENT";
    printListing(context, { webhooks: items }, { items, columns: WEBHOOK_COLUMNS, none });
  },
};
