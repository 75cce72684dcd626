import * as z from "zod";
import { DeliveryQuery, DeliveryStatus } from "../../api/deliveries.ts";
import { MAX_PAGE } from "../../api/page-limit.ts";
import { type Kind, oneOf, wholeNumber } from "../../util/kinds.ts";
import { CLIENT_ID } from "../client-id.ts";
import { DELIVERY_COLUMNS } from "../terminal/schedule-listing.ts";
import { type Command, readFlag } from "./command.ts";
import { printListing } from "./listing.ts";

const STATUS = oneOf(DeliveryStatus.options);
const LIMIT = wholeNumber(1, MAX_PAGE);
const DATE_OR_TIME: Kind<string> = {
  schema: z.union([z.iso.date(), z.iso.datetime()]),
  expected: "a local date such as 2026-11-30, or a time of UTC such as 2026-11-30T00:00:00Z",
};
const CURSOR: Kind<string> = {
  schema: DeliveryQuery.shape.cursor.unwrap(),
  expected: "the next_cursor of an earlier list",
};

/** The command `fds deliveries`, which lists the deliveries of a schedule. */
export const deliveries: Command = {
  words: "NAME",
  wordCount: [1, 1],
  summary: "who delivered what of a schedule, newest first",
  flags: {
    status: { type: "string" },
    client: { type: "string" },
    from: { type: "string" },
    to: { type: "string" },
    limit: { type: "string" },
    cursor: { type: "string" },
  },
  flagsHelp: `  --status STATUS
      only those that are ${DeliveryStatus.options.join(", ")}
  --client CLIENT
      only those of one client
  --from DATE, --to DATE
      only those of these local dates, or times of UTC
  --limit N
      at most so many, 1 to ${MAX_PAGE} (default: 200)
  --cursor CURSOR
      those that come after an earlier list, which has it as next_cursor with --json`,
  notes: `missing: it is due, and not there; late: it came after that; partial: files were skipped, or less
came than was expected. In a pipe: client, local time, status, when it is due, files, bytes and download,
with tabs between them.`,
  examples: ["deliveries nightly --status missing", "deliveries nightly --from 2026-11-01 --json"],
  async run(context) {
    const { api, words, interruptions } = context;
    const status = readFlag(context, "status", STATUS);
    const client = readFlag(context, "client", CLIENT_ID);
    const limit = readFlag(context, "limit", LIMIT);
    const query = {
      status,
      client_id: client,
      from: readFlag(context, "from", DATE_OR_TIME),
      to: readFlag(context, "to", DATE_OR_TIME),
      limit: limit === undefined ? undefined : String(limit),
      cursor: readFlag(context, "cursor", CURSOR),
    };
    const given = Object.fromEntries(
      Object.entries(query).filter(([, value]) => value !== undefined),
    );
    const list = await api.deliveries(words[0] ?? "", given, interruptions.signal);
    printListing(context, list, {
      items: list.deliveries,
      columns: DELIVERY_COLUMNS,
      none: "No deliveries",
      nextCursor: list.next_cursor,
    });
  },
};
