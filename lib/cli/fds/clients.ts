import { CLIENT_COLUMNS, clientProblemOf, NO_CLIENTS } from "../terminal/client-listing.ts";
import type { Command } from "./command.ts";
import { printListing } from "./listing.ts";

/** `fds clients` */
export const clients: Command = {
  words: "",
  count: [0, 0],
  summary: "the clients that the server knows, connected or not",
  flags: {},
  notes: `In a pipe: client, state, active downloads, last seen, address, platform, version and host,
with tabs between them.`,
  examples: ["clients", "clients | awk -F'\\t' '$2 == \"offline\" {print $1}'"],
  async run(context) {
    const items = await context.api.clients(context.interruptions.signal);
    printListing(
      context,
      { clients: items },
      {
        items,
        columns: CLIENT_COLUMNS,
        detailOf: clientProblemOf,
        none: NO_CLIENTS,
      },
    );
  },
};
