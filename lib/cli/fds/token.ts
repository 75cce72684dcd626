import { Role, ROLES } from "../../api/roles.ts";
import type { TokenRecord } from "../../api/tokens.ts";
import { readSetting, UsageError } from "../../util/flags.ts";
import { oneOf } from "../../util/kinds.ts";
import { CLIENT_ID } from "../client-id.ts";
import type { ListingColumn } from "../terminal/listing.ts";
import { NAME_COLUMNS, paint } from "../terminal/terminal.ts";
import { formatAge } from "../terminal/times.ts";
import { type Command, type CommandContext, print, readFlag } from "./command.ts";
import { printDone, printListing } from "./listing.ts";
import { readSelector } from "./pull-job.ts";
import { expiresColumn, MADE_COLUMN, NAME_COLUMN, stateColumn } from "./named-columns.ts";
import { readLifetime, runCredentialAction, stateOf } from "./named.ts";

/** The command `fds token`, which manages API tokens. */
export const token: Command = {
  words: "ACTION [NAME]",
  wordCount: [1, 2],
  summary: "API tokens with roles: create NAME, list, revoke NAME",
  flags: {
    role: { type: "string" },
    site: { type: "string", multiple: true },
    labels: { type: "string", short: "l" },
    expires: { type: "string" },
  },
  flagsHelp: `  --role ${ROLES.join("|")}
      what the new token may do: see; also pull; also manage tokens, clients and the audit
  --site CLIENT (repeatable)
      the only clients that it sees and pulls from (default: all)
  --labels SELECTOR, -l SELECTOR
      also clients with such labels, whoever has them at the moment
  --expires DURATION|never
      such as 30d or 12h (default: never)`,
  notes: `A new token's secret is shown once: nobody can look it up. In a pipe, create prints it alone, and
list prints name, role, sites, state, last use, end and making, with tabs between them.`,
  examples: [
    "token create monitoring --role viewer",
    "token create night --role operator --site restaurant-001 --expires 30d",
    "token create west --role viewer --labels region=west",
    "token revoke night-shift",
  ],
  run: (context) =>
    runCredentialAction({ command: "token", flags: token.flags }, context, {
      create,
      list,
      revoke,
    }),
};

async function create(context: CommandContext, name: string): Promise<void> {
  const { api, values, interruptions } = context;
  const role = readFlag(context, "role", oneOf(Role.options));
  if (role === undefined) {
    throw new UsageError(`--role is missing, expected one of ${ROLES.join(", ")}`);
  }
  const sites = [values["site"] ?? []]
    .flat()
    .map((text) =>
      readSetting({ source: "--site", text: String(text) }, CLIENT_ID.schema, CLIENT_ID.expected),
    );
  const labels = values["labels"] === undefined ? null : readSelector(String(values["labels"]));
  const scope = [...sites, ...(labels === null ? [] : [labels])];
  const issued = await api.createToken(
    {
      name,
      role,
      sites: sites.length > 0 ? sites : null,
      labels: labels ?? null,
      expires_in_seconds: readLifetime(context, null),
    },
    interruptions.signal,
  );
  print(context, {
    value: issued,
    shown: (coloured) => [
      `${paint("✓", "green", coloured)} ${name} is ${role} of ${scope.join(", ") || "all sites"}; keep its secret, it is shown this once:`,
      issued.token,
    ],
    raw: () => [issued.token],
  });
}

async function list(context: CommandContext): Promise<void> {
  const items = await context.api.tokens(context.interruptions.signal);
  const none = "No tokens beside API_TOKEN";
  printListing(context, { tokens: items }, { items, columns: COLUMNS, none });
}

async function revoke(context: CommandContext, name: string): Promise<void> {
  const record = await context.api.revokeToken(name, context.interruptions.signal);
  printDone(context, record, COLUMNS, `revoked ${name}`);
}

/** Returns which sites a token may see, as text: client ids and a label selector, or "all". */
function sitesShown({ sites, labels }: TokenRecord): string {
  return [...(sites ?? []), ...(labels === null ? [] : [labels])].join(" ") || "all";
}

const COLUMNS: ListingColumn<TokenRecord>[] = [
  NAME_COLUMN,
  { title: "role", importance: 8, shown: ({ role }) => role, raw: ({ role }) => role },
  {
    title: "sites",
    importance: 5,
    minWidth: NAME_COLUMNS,
    shown: sitesShown,
    raw: sitesShown,
  },
  stateColumn((record) => stateOf(record)),
  {
    title: "last used",
    importance: 4,
    shown: ({ last_used_at }) => formatAge(last_used_at),
    raw: ({ last_used_at }) => last_used_at,
  },
  expiresColumn(6),
  MADE_COLUMN,
];
