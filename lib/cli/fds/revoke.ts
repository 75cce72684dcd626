import { readSetting } from "../../util/flags.ts";
import { CLIENT_ID } from "../client-id.ts";
import { CLIENT_COLUMNS } from "../terminal/client-listing.ts";
import type { Command } from "./command.ts";
import { printDone } from "./listing.ts";

/** The command `fds revoke`, which cuts a client off for good. */
export const revoke: Command = {
  words: "CLIENT",
  wordCount: [1, 1],
  summary: "cuts a client off, and refuses its key for good",
  flags: {},
  notes: `What it was asked for waits, with all that has come. To let another machine take its place:
fds enroll create NAME --id CLIENT --replace`,
  examples: ["revoke restaurant-001"],
  async run(context) {
    const { api, words, interruptions } = context;
    const [text = ""] = words;
    const clientId = readSetting({ source: "CLIENT", text }, CLIENT_ID.schema, CLIENT_ID.expected);
    const record = await api.revokeClient(clientId, interruptions.signal);
    printDone(context, record, CLIENT_COLUMNS, `revoked ${clientId}`);
  },
};
