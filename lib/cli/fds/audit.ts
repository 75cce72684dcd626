import type * as z from "zod";
import { AuditAction, type AuditQuery, type AuditRecord } from "../../api/audit.ts";
import { MAX_PAGE } from "../../api/page-limit.ts";
import { DURATION, oneOf, TEXT, wholeNumber } from "../../util/kinds.ts";
import { CLIENT_ID } from "../client-id.ts";
import type { ListingColumn } from "../terminal/listing.ts";
import { NAME_COLUMNS } from "../terminal/terminal.ts";
import { formatMoment } from "../terminal/times.ts";
import { type Command, type CommandContext, CURSOR, readFlag } from "./command.ts";
import { printListing } from "./listing.ts";

/** The command `fds audit`, which lists who did what. */
export const audit: Command = {
  words: "",
  wordCount: [0, 0],
  summary: "who did what, from where, and how it ended",
  flags: {
    action: { type: "string" },
    actor: { type: "string" },
    client: { type: "string" },
    outcome: { type: "string" },
    since: { type: "string" },
    limit: { type: "string" },
    cursor: { type: "string" },
  },
  flagsHelp: `  --action ACTION
      only ${AuditAction.options.join(", ")}
  --actor NAME
      only what was done with this token, or with API_TOKEN
  --client CLIENT
      only what is about this client
  --outcome OUTCOME
      only what ended so: ok, or the code of an error, such as forbidden
  --since DURATION
      only the last 15m, 12h or 30d
  --limit N
      at most so many, 1 to ${MAX_PAGE} (default: 50)
  --cursor CURSOR
      those that come after an earlier list, which has it as next_cursor with --json`,
  notes: `In a pipe: time, actor, address, action, outcome, how often, client, target, file and download,
with tabs between them.`,
  examples: ["audit --since 1d", "audit --action denied --json", "audit --client restaurant-001"],
  async run(context) {
    const { api, interruptions } = context;
    const list = await api.audit(readQuery(context), interruptions.signal);
    printListing(context, list, {
      items: list.records,
      columns: COLUMNS,
      none: "Nothing of this kind happened",
      nextCursor: list.next_cursor,
    });
  },
};

function readQuery(context: CommandContext): z.input<typeof AuditQuery> {
  const action = readFlag(context, "action", oneOf(AuditAction.options));
  const actor = readFlag(context, "actor", TEXT);
  const client_id = readFlag(context, "client", CLIENT_ID);
  const outcome = readFlag(context, "outcome", TEXT);
  const since = readFlag(context, "since", DURATION);
  const limit = readFlag(context, "limit", wholeNumber(1, MAX_PAGE));
  const cursor = readFlag(context, "cursor", CURSOR);
  return {
    ...(action && { action }),
    ...(actor && { actor }),
    ...(client_id && { client_id }),
    ...(outcome && { outcome }),
    ...(since && { since: new Date(Date.now() - since).toISOString() }),
    ...(limit && { limit: String(limit) }),
    ...(cursor && { cursor }),
  };
}

const COLUMNS: ListingColumn<AuditRecord>[] = [
  {
    title: "time",
    importance: 9,
    shown: ({ last_at }) => formatMoment(last_at),
    raw: ({ last_at }) => last_at,
  },
  {
    title: "actor",
    importance: 6,
    minWidth: NAME_COLUMNS,
    shown: ({ actor }) => actor ?? "–",
    raw: ({ actor }) => actor,
  },
  {
    title: "address",
    importance: 4,
    shown: ({ address }) => address ?? "–",
    raw: ({ address }) => address,
  },
  { title: "action", importance: 8, shown: ({ action }) => action, raw: ({ action }) => action },
  {
    title: "outcome",
    importance: 7,
    shown: ({ outcome }) => ({ text: outcome, colour: outcome === "ok" ? "green" : "red" }),
    raw: ({ outcome }) => outcome,
  },
  {
    title: "times",
    right: true,
    importance: 3,
    shown: ({ count }) => String(count),
    raw: ({ count }) => count,
  },
  {
    title: "client",
    importance: 5,
    minWidth: NAME_COLUMNS,
    shown: ({ client_id }) => client_id ?? "–",
    raw: ({ client_id }) => client_id,
  },
  {
    title: "about",
    importance: 2,
    minWidth: 12,
    shown: ({ target, file_path }) => target ?? file_path ?? "–",
    raw: ({ target }) => target,
  },
  {
    title: "file",
    importance: 1,
    shown: ({ file_path }) => file_path ?? "–",
    raw: ({ file_path }) => file_path,
  },
  {
    title: "download",
    importance: 0,
    shown: ({ download_id }) => download_id ?? "–",
    raw: ({ download_id }) => download_id,
  },
];
