import type { ClientFile } from "../../api/files.ts";
import { CLIENT_ID } from "../client-id.ts";
import { readSetting } from "../../util/flags.ts";
import { FILE_COLUMNS } from "../terminal/file-listing.ts";
import type { Command } from "./command.ts";
import { printListing } from "./listing.ts";

/** `fds ls` */
export const ls: Command = {
  words: "CLIENT [PATH]",
  count: [1, 2],
  summary: "the files and folders of a client, by default its roots",
  flags: {},
  notes: `PATH is relative to a root of the client, or absolute inside one. Shown is what the site lets
leave. In a pipe: type, size, time and path, with tabs between them.`,
  examples: ["ls restaurant-001", "ls restaurant-001 logs/2026"],
  async run(context) {
    const [client = "", path] = context.words;
    const clientId = readSetting(
      { source: "CLIENT", text: client },
      CLIENT_ID.schema,
      CLIENT_ID.expected,
    );
    const { api, interruptions } = context;
    const items: ClientFile[] = [];
    let truncated = false;
    let cursor: string | undefined;
    do {
      const page = await api.clientFiles(clientId, { path, cursor }, interruptions.signal);
      items.push(...page.entries);
      truncated ||= page.truncated;
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    const none = "There is nothing in it that the site lets leave";
    printListing(context, { entries: items, truncated }, { items, columns: FILE_COLUMNS, none });
    if (truncated) context.err.write("There are more names than the client read\n");
  },
};
