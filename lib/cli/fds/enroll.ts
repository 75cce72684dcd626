import { type EnrolmentKeyRecord, IdPattern } from "../../api/enrolment.ts";
import { UsageError } from "../../util/flags.ts";
import { type Kind, wholeNumber } from "../../util/kinds.ts";
import type { ListingColumn } from "../terminal/listing.ts";
import { NAME_COLUMNS, paint } from "../terminal/terminal.ts";
import { formatMoment } from "../terminal/times.ts";
import { type Command, type CommandContext, print, readFlag } from "./command.ts";
import { readLabel } from "./label.ts";
import { printDone, printListing } from "./listing.ts";
import { expiresColumn, MADE_COLUMN, NAME_COLUMN, stateColumn } from "./named-columns.ts";
import { readLifetime, runCredentialAction, stateOf } from "./named.ts";

const IDS: Kind<string> = {
  schema: IdPattern,
  expected: 'an id, or a pattern such as "restaurant-*"',
};
const USES = wholeNumber(1, 1_000_000);
const DEFAULT_LIFETIME_SECONDS = 7 * 86_400;

/** The command `fds enroll`, which manages enrolment keys for new clients. */
export const enroll: Command = {
  words: "ACTION [NAME]",
  wordCount: [1, 2],
  summary: "keys for new clients: create NAME, list, revoke NAME",
  flags: {
    id: { type: "string" },
    label: { type: "string", multiple: true },
    uses: { type: "string" },
    expires: { type: "string" },
    replace: { type: "boolean" },
  },
  flagsHelp: `  --id ID
      which clients may enrol with the new key; a * stands for any characters
  --label KEY=VALUE (repeatable)
      a label for whoever enrols with it
  --uses N|unlimited
      how many may (default: 1)
  --expires DURATION|never
      how long, such as 12h or 30d (default: 7d)
  --replace
      lets another machine take over an id that belongs to one, also if that was revoked`,
  notes: `A client is given the key as ENROLL_TOKEN, once. It is shown once: nobody can look it up. In a
pipe, create prints it alone, and list prints name, ids, uses, most uses, replace, state, end and
making, with tabs between them.`,
  examples: [
    "enroll create spring --id 'restaurant-*' --uses 20 --expires 30d",
    "enroll create new-till --id restaurant-001 --replace",
    "enroll revoke spring",
  ],
  run: (context) =>
    runCredentialAction({ command: "enroll", flags: enroll.flags }, context, {
      create,
      list,
      revoke,
    }),
};

async function create(context: CommandContext, name: string): Promise<void> {
  const { api, values, interruptions } = context;
  const ids = readFlag(context, "id", IDS);
  if (ids === undefined) throw new UsageError(`--id is missing, expected ${IDS.expected}`);
  const expected = `${USES.expected}, or unlimited`;
  const uses =
    values["uses"] === "unlimited" ? null : readFlag(context, "uses", { ...USES, expected });
  const issued = await api.createEnrolmentKey(
    {
      name,
      ids,
      labels: Object.fromEntries(
        [values["label"] ?? []].flat().map((text) => readLabel(String(text))),
      ),
      replace: values["replace"] === true,
      max_uses: uses === undefined ? 1 : uses,
      expires_in_seconds: readLifetime(context, DEFAULT_LIFETIME_SECONDS),
    },
    interruptions.signal,
  );
  const { expires_at } = issued.record;
  const until = expires_at === null ? "revoked" : formatMoment(expires_at);
  print(context, {
    value: issued,
    shown: (coloured) => [
      `${paint("✓", "green", coloured)} ${ids} may enrol until ${until}; set this as ENROLL_TOKEN there, it is shown this once:`,
      issued.enrolment_key,
    ],
    raw: () => [issued.enrolment_key],
  });
}

async function list(context: CommandContext): Promise<void> {
  const items = await context.api.enrolmentKeys(context.interruptions.signal);
  const none = "No enrolment keys beside ENROLL_TOKEN";
  printListing(context, { enrolment_keys: items }, { items, columns: COLUMNS, none });
}

async function revoke(context: CommandContext, name: string): Promise<void> {
  const record = await context.api.revokeEnrolmentKey(name, context.interruptions.signal);
  printDone(context, record, COLUMNS, `revoked ${name}`);
}

/** Returns the state of an enrolment key, including "used up" where no uses are left. */
function keyState(record: EnrolmentKeyRecord): string {
  const { uses, max_uses } = record;
  const isUsedUp = max_uses !== null && uses >= max_uses;
  const state = stateOf(record);
  return state === "good" && isUsedUp ? "used up" : state;
}

const COLUMNS: ListingColumn<EnrolmentKeyRecord>[] = [
  NAME_COLUMN,
  {
    title: "ids",
    importance: 8,
    minWidth: NAME_COLUMNS,
    shown: ({ ids }) => ids,
    raw: ({ ids }) => ids,
  },
  {
    title: "uses",
    right: true,
    importance: 6,
    shown: ({ uses, max_uses }) => `${uses} of ${max_uses ?? "any"}`,
    raw: ({ uses }) => uses,
  },
  {
    title: "most",
    importance: 1,
    shown: ({ max_uses }) => String(max_uses ?? "any"),
    raw: ({ max_uses }) => max_uses,
  },
  {
    title: "replaces",
    importance: 4,
    shown: ({ replace }) => (replace ? "yes" : "no"),
    raw: ({ replace }) => replace,
  },
  stateColumn(keyState),
  expiresColumn(5),
  MADE_COLUMN,
];
