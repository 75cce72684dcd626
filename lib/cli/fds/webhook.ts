import { MAX_PAGE } from "../../api/page-limit.ts";
import { CredentialName } from "../../api/tokens.ts";
import { WEBHOOK_EVENTS, type WebhookEvent } from "../../api/webhook-events.ts";
import { NewWebhook, type WebhookAttempt, type WebhookWithSecret } from "../../api/webhooks.ts";
import { readSetting, UsageError } from "../../util/flags.ts";
import { type Kind, wholeNumber } from "../../util/kinds.ts";
import { Failure } from "../program.ts";
import { findId } from "../rest/find-id.ts";
import { fieldLines, listingLines } from "../terminal/listing.ts";
import { paint } from "../terminal/terminal.ts";
import {
  ATTEMPT_COLUMNS,
  detailOfAttempt,
  WEBHOOK_COLUMNS,
  webhookFields,
} from "../terminal/webhook-listing.ts";
import {
  type Command,
  type CommandContext,
  CURSOR,
  print,
  readFlag,
  requireOwnFlags,
} from "./command.ts";
import { printDone, printListing } from "./listing.ts";

const NAME: Kind<string> = {
  schema: CredentialName,
  expected: "1 to 64 small letters, digits, '.', '_' or '-', the first a letter or digit",
};
const URL_KIND: Kind<string> = {
  schema: NewWebhook.shape.url,
  expected: 'a URL such as "https://example.com/hook"',
};
const LIMIT = wholeNumber(1, MAX_PAGE);

type Action = (context: CommandContext, name: string) => Promise<void>;

const ACTIONS: Record<string, Action> = {
  create,
  show,
  change,
  test,
  attempts,
  replay,
  rotate,
  disable: (context, name) => setDisabled(context, name, true),
  enable: (context, name) => setDisabled(context, name, false),
  delete: remove,
};

const NAMES = Object.keys(ACTIONS).join(", ");

/** The flags of each action. All other actions have none. */
const FLAGS_OF: Record<string, readonly string[]> = {
  create: ["url", "event"],
  change: ["url", "event"],
  attempts: ["limit", "cursor"],
};

/** The command `fds webhook`, which shows, creates or changes a webhook. */
export const webhook: Command = {
  words: "ACTION NAME",
  usage: "ACTION NAME [ATTEMPT]",
  wordCount: [2, 3],
  summary: "shows, creates, changes, tests, … a webhook",
  flags: {
    url: { type: "string" },
    event: { type: "string", multiple: true },
    limit: { type: "string" },
    cursor: { type: "string" },
  },
  flagsHelp: `  --url URL
      of create and change: where messages are posted to
  --event EVENT (repeatable)
      of create and change: what is told. A * stands for any characters, as in "download.*"
  --limit N, --cursor CURSOR
      of attempts: at most so many (default: 50), and those behind an earlier list`,
  notes: `The actions are ${NAMES}.
test sends a message at once, and attempts lists what was tried. replay sends the message of an attempt
again; the first characters of its id are enough. rotate makes another secret; for 24 h the one before
signs too. create and rotate show the secret once, and in a pipe print it alone.

The events are ${WEBHOOK_EVENTS.join(", ")}.`,
  examples: [
    "webhook create ops --url https://example.com/hook --event 'job.*'",
    "webhook test ops",
    "webhook attempts ops --limit 10",
    "webhook replay ops 0198c0de-7f00",
  ],
  async run(context) {
    const [action = "", text = "", extra] = context.words;
    const act = ACTIONS[action];
    if (!act) throw new UsageError(`unknown word "${action}", expected one of ${NAMES}`);
    if (extra !== undefined && action !== "replay") {
      throw new UsageError(`unexpected word "${extra}", expected fds webhook ${action} NAME`);
    }
    requireOwnFlags(context, {
      flags: webhook.flags,
      own: FLAGS_OF[action] ?? [],
      action: `fds webhook ${action}`,
    });
    await act(context, readSetting({ source: "NAME", text }, NAME.schema, NAME.expected));
  },
};

async function create(context: CommandContext, name: string): Promise<void> {
  const url = readFlag(context, "url", URL_KIND);
  const events = readEvents(context);
  if (url === undefined) throw new UsageError(`--url is missing, expected ${URL_KIND.expected}`);
  if (!events) {
    throw new UsageError(`--event is missing, expected some of ${WEBHOOK_EVENTS.join(", ")}`);
  }
  const { api, interruptions } = context;
  const made = await api.webhooks.create({ name, url, events }, interruptions.signal);
  printSecret(context, made, `${name} is told of ${events.join(", ")}`);
}

async function show(context: CommandContext, name: string): Promise<void> {
  const record = await context.api.webhooks.get(name, context.interruptions.signal);
  print(context, {
    value: record,
    shown: (coloured) => webhookFields(record, coloured),
    raw: () => fieldLines(record),
  });
}

async function change(context: CommandContext, name: string): Promise<void> {
  const url = readFlag(context, "url", URL_KIND);
  const events = readEvents(context);
  if (url === undefined && !events) {
    throw new UsageError("nothing to change, expected --url, --event or both");
  }
  const changes = { ...(url !== undefined && { url }), ...(events && { events }) };
  const record = await context.api.webhooks.change(name, changes, context.interruptions.signal);
  printDone(context, record, WEBHOOK_COLUMNS, `changed ${name}`);
}

async function setDisabled(
  context: CommandContext,
  name: string,
  disabled: boolean,
): Promise<void> {
  const { api, interruptions } = context;
  const record = await api.webhooks.change(name, { disabled }, interruptions.signal);
  printDone(context, record, WEBHOOK_COLUMNS, `${disabled ? "disabled" : "enabled"} ${name}`);
}

async function test(context: CommandContext, name: string): Promise<void> {
  printSent(context, await context.api.webhooks.test(name, context.interruptions.signal));
}

async function attempts(context: CommandContext, name: string): Promise<void> {
  const limit = readFlag(context, "limit", LIMIT);
  const cursor = readFlag(context, "cursor", CURSOR);
  const query = {
    ...(limit !== undefined && { limit: String(limit) }),
    ...(cursor !== undefined && { cursor }),
  };
  const list = await context.api.webhooks.attempts(name, query, context.interruptions.signal);
  printListing(context, list, {
    items: list.attempts,
    columns: ATTEMPT_COLUMNS,
    detailOf: detailOfAttempt,
    none: "Nothing was sent yet",
    nextCursor: list.next_cursor,
  });
}

async function replay(context: CommandContext, name: string): Promise<void> {
  const { api, words, interruptions } = context;
  const text = words[2];
  if (text === undefined) {
    throw new UsageError("ATTEMPT is missing, expected fds webhook replay NAME ATTEMPT");
  }
  const { signal } = interruptions;
  const id = await findId(text, {
    name: "attempt",
    command: `webhook attempts ${name}`,
    fetchPage: async (cursor) => {
      const query = cursor === null ? {} : { cursor };
      const page = await api.webhooks.attempts(name, query, signal);
      return {
        ids: page.attempts.map(({ attempt_id }) => attempt_id),
        nextCursor: page.next_cursor,
      };
    },
  });
  printSent(context, await api.webhooks.replay(name, id, signal));
}

async function rotate(context: CommandContext, name: string): Promise<void> {
  const made = await context.api.webhooks.rotate(name, context.interruptions.signal);
  printSecret(context, made, `${name} has another secret, the one before signs for 24 h too`);
}

async function remove(context: CommandContext, name: string): Promise<void> {
  const record = await context.api.webhooks.remove(name, context.interruptions.signal);
  printDone(context, record, WEBHOOK_COLUMNS, `removed ${name}`);
}

/**
 * Reads `--event`: names of events, and patterns such as `job.*`.
 * @returns undefined where the flag was not given
 * @throws UsageError for a name or pattern that matches no event
 */
function readEvents({ values }: CommandContext): WebhookEvent[] | undefined {
  const given = [values["event"] ?? []].flat().map(String);
  if (given.length === 0) return undefined;
  const events = given.flatMap((text) => {
    const glob = new Bun.Glob(text);
    const matching = WEBHOOK_EVENTS.filter((event) => glob.match(event));
    if (matching.length > 0) return matching;
    throw new UsageError(`--event is "${text}", expected some of ${WEBHOOK_EVENTS.join(", ")}`);
  });
  return [...new Set(events)];
}

function printSecret(context: CommandContext, made: WebhookWithSecret, summary: string): void {
  print(context, {
    value: made,
    shown: (coloured) => [
      `${paint("✓", "green", coloured)} ${summary}; keep the secret, it is shown this once:`,
      made.secret,
    ],
    raw: () => [made.secret],
  });
}

/**
 * Prints the result of an attempt to send a webhook message.
 * @throws Failure, after printing, where the message was not delivered
 */
function printSent(context: CommandContext, attempt: WebhookAttempt): void {
  const { delivered, response_status: status, duration_ms: ms, error } = attempt;
  print(context, {
    value: attempt,
    shown: (coloured) =>
      delivered ? [`${paint("✓", "green", coloured)} delivered: ${status} after ${ms} ms`] : [],
    raw: () => listingLines(ATTEMPT_COLUMNS, [attempt]),
  });
  if (!delivered) throw new Failure(`not delivered: ${error}`);
}
