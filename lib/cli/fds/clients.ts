import { CLIENT_COLUMNS, clientProblemOf, NO_CLIENTS } from "../terminal/client-listing.ts";
import type { Command } from "./command.ts";
import { readSelector } from "./pull-job.ts";
import { printListing } from "./listing.ts";

/** `fds clients` */
export const clients: Command = {
  words: "",
  count: [0, 0],
  summary: "the clients that the server knows, connected or not",
  flags: { labels: { type: "string", short: "l" } },
  flagsHelp: `  --labels SELECTOR, -l SELECTOR
      only those with such labels: region=west,tier!=test,size in (s,m),!closed`,
  notes: `In a pipe: client, state, active downloads, last seen, address, platform, version, host, labels and
time zone, with tabs between them.`,
  examples: [
    "clients",
    "clients -l region=west",
    "clients | awk -F'\\t' '$2 == \"offline\" {print $1}'",
  ],
  async run(context) {
    const { labels } = context.values;
    const query = labels === undefined ? {} : { labels: readSelector(String(labels)) };
    const items = await context.api.clientsWith(query, context.interruptions.signal);
    printListing(
      context,
      { clients: items },
      {
        items,
        columns: CLIENT_COLUMNS,
        detailOf: clientProblemOf,
        none: labels === undefined ? NO_CLIENTS : "No client has such labels",
      },
    );
  },
};
