import type { ClientFile } from "../../api/files.ts";
import { CLIENT_ID } from "../client-id.ts";
import { readSetting } from "../../util/flags.ts";
import { FILE_COLUMNS } from "../terminal/file-listing.ts";
import type { Command } from "./command.ts";
import { printPages } from "./listing.ts";

/** The command `fds ls`, which lists files and folders of a client. */
export const ls: Command = {
  words: "CLIENT [PATH]",
  wordCount: [1, 2],
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
    const { api, interruptions, err } = context;
    let truncated = false;
    const pages = async function* (): AsyncGenerator<ClientFile[]> {
      for (let cursor: string | undefined; ;) {
        const page = await api.clientFiles(clientId, { path, cursor }, interruptions.signal);
        truncated ||= page.truncated;
        yield page.entries;
        if (page.next_cursor === null) return;
        cursor = page.next_cursor;
      }
    };
    const listing = {
      columns: FILE_COLUMNS,
      none: "There is nothing in it that the site lets leave",
    };
    await printPages(context, pages(), listing, (entries) => ({ entries, truncated }));
    if (truncated) err.write("There are more names than the client read\n");
  },
};
