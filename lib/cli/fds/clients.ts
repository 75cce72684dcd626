import {
  CLIENT_COLUMNS,
  clientProblemOf,
  columnsOfOutdated,
  isOutdated,
  NO_CLIENTS,
} from "../terminal/client-listing.ts";
import type { Command, CommandContext } from "./command.ts";
import { readSelector } from "./pull-job.ts";
import { printListing } from "./listing.ts";

/** The command `fds clients`, which lists the clients that the server knows. */
export const clients: Command = {
  words: "",
  wordCount: [0, 0],
  summary: "the clients that the server knows, connected or not",
  flags: { labels: { type: "string", short: "l" }, outdated: { type: "boolean" } },
  flagsHelp: `  --labels SELECTOR, -l SELECTOR
      only those with such labels: region=west,tier!=test,size in (s,m),!closed
  --outdated
      only those that are older than the server`,
  notes: `In a pipe: client, state, active downloads, last seen, address, platform, version, host, labels and
time zone, with tabs between them.`,
  examples: [
    "clients",
    "clients -l region=west",
    "clients --outdated",
    "clients | awk -F'\\t' '$2 == \"offline\" {print $1}'",
  ],
  async run(context) {
    const { values } = context;
    const { labels } = values;
    const query = labels === undefined ? {} : { labels: readSelector(String(labels)) };
    const { signal } = context.interruptions;
    const all = await context.api.clientsWith(query, signal);
    // A failed health check must not prevent the listing of clients.
    const version = await context.api.health(signal).then(
      (health) => health.version,
      () => "",
    );
    const outdated = all.filter((client) => isOutdated(client, version));
    const items = values["outdated"] === true ? outdated : all;
    printListing(
      context,
      { clients: items },
      {
        items,
        columns: outdated.length > 0 ? columnsOfOutdated(version) : CLIENT_COLUMNS,
        fields: CLIENT_COLUMNS,
        detailOf: clientProblemOf,
        none: emptyListText(context),
      },
    );
  },
};

/** Returns the text to print for an empty list of clients. */
function emptyListText({ values }: CommandContext): string {
  if (values["outdated"] === true) return "No client is older than the server";
  return values["labels"] === undefined ? NO_CLIENTS : "No client has such labels";
}
