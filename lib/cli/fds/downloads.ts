import type * as z from "zod";
import { MAX_PAGE } from "../../api/page-limit.ts";
import { type DownloadQuery, DownloadStatus } from "../../api/schemas.ts";
import { howToRun } from "../../util/build.ts";
import { UsageError } from "../../util/flags.ts";
import { oneOf, wholeNumber } from "../../util/kinds.ts";
import { CLIENT_ID } from "../client-id.ts";
import { DOWNLOAD_COLUMNS, DOWNLOAD_FIELDS, problemOf } from "../terminal/download-listing.ts";
import { type Command, type CommandContext, CURSOR, readFlag } from "./command.ts";
import { printListing } from "./listing.ts";

const STATUS = oneOf(DownloadStatus.options);
const LIMIT = wholeNumber(1, MAX_PAGE);

/** The command `fds downloads`, which lists downloads, the newest first. */
export const downloads: Command = {
  words: "",
  wordCount: [0, 0],
  summary: "the latest downloads, the newest first",
  flags: {
    status: { type: "string" },
    open: { type: "boolean" },
    client: { type: "string" },
    limit: { type: "string" },
    cursor: { type: "string" },
  },
  flagsHelp: `  --status STATUS
      only those that are ${DownloadStatus.options.join(", ")}
  --open
      only those that failed and were not retried: their files are still owed
  --client CLIENT
      only those of this client
  --limit N
      at most so many, 1 to ${MAX_PAGE} (default: 50)
  --cursor CURSOR
      those that come after an earlier list, which has it as next_cursor with --json`,
  notes: `In a pipe: download, client, status, bytes received, size, created, file or patterns, the code
and the words of what went wrong, and of a set how many files it has, and how many of them were
received, unchanged and skipped, "held" for what is, and when it was removed, with tabs between them.`,
  examples: [
    "downloads --limit 10",
    "downloads --status failed --client restaurant-001",
    `downloads --open | cut -f1 | xargs -n1 ${howToRun("fds")} retry`,
  ],
  async run(context) {
    const { api, interruptions } = context;
    const list = await api.downloads(readQuery(context), interruptions.signal);
    printListing(context, list, {
      items: list.downloads,
      columns: DOWNLOAD_COLUMNS,
      fields: DOWNLOAD_FIELDS,
      detailOf: problemOf,
      none: "No downloads",
      nextCursor: list.next_cursor,
    });
  },
};

function readQuery(context: CommandContext): z.input<typeof DownloadQuery> {
  const status = readFlag(context, "status", STATUS);
  const client_id = readFlag(context, "client", CLIENT_ID);
  const limit = readFlag(context, "limit", LIMIT);
  const cursor = readFlag(context, "cursor", CURSOR);
  const open = context.values["open"] === true;
  if (open && status !== undefined && status !== "failed") {
    throw new UsageError(`--status is "${status}" and only what failed is --open, leave one out`);
  }
  return {
    ...(status && { status }),
    ...(open && { open: "true" as const }),
    ...(client_id && { client_id }),
    ...(limit && { limit: String(limit) }),
    ...(cursor && { cursor }),
  };
}
