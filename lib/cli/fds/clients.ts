import { CLIENT_COLUMNS, NO_CLIENTS } from "../terminal/client-listing.ts";
import { listingLines, listingTable } from "../terminal/listing.ts";
import { type Command, print } from "./command.ts";

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
    const { api, out, interruptions } = context;
    const known = await api.clients(interruptions.signal);
    print(context, {
      value: { clients: known },
      shown: (coloured) =>
        known.length === 0
          ? [NO_CLIENTS]
          : listingTable(CLIENT_COLUMNS, known, out.columns(), coloured),
      raw: () => listingLines(CLIENT_COLUMNS, known),
    });
  },
};
