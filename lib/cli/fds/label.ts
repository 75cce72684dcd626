import { LABEL_PART } from "../../api/label-parts.ts";
import type { LabelChanges } from "../../api/labels.ts";
import { readSetting, UsageError } from "../../util/flags.ts";
import { CLIENT_ID } from "../client-id.ts";
import { CLIENT_COLUMNS } from "../terminal/client-listing.ts";
import type { Command } from "./command.ts";
import { printDone } from "./listing.ts";

const EXPECTED = 'KEY=VALUE or KEY-, each of 1 to 63 letters, digits, ".", "_", "/" or "-"';

/** The command `fds label`, which sets and removes labels of a client. */
export const label: Command = {
  words: "CLIENT LABEL…",
  usage: "CLIENT KEY=VALUE… KEY-…",
  wordCount: [2, Infinity],
  summary: "sets labels, KEY=VALUE, and removes them, KEY-",
  flags: {},
  notes: `A client has at most 32 labels, and never sets its own. fds clients -l SELECTOR and fds pull -l
SELECTOR choose clients by them.`,
  examples: ["label restaurant-001 region=west tier=gold", "label restaurant-001 tier-"],
  async run(context) {
    const { api, words, interruptions } = context;
    const [client = "", ...texts] = words;
    const id = readSetting(
      { source: "CLIENT", text: client },
      CLIENT_ID.schema,
      CLIENT_ID.expected,
    );
    const labels: LabelChanges = Object.fromEntries(texts.map(readChange));
    const record = await api.changeClient(id, { labels }, interruptions.signal);
    const shown = Object.entries(record.labels).map(([key, value]) => `${key}=${value}`);
    printDone(context, record, CLIENT_COLUMNS, `${id} ${shown.join(" ") || "has no labels"}`);
  },
};

/**
 * Parses a change of a label: `KEY=VALUE`, or `KEY-` to remove the label.
 * @returns the key and the new value; the value is null if the label is to be removed
 * @throws UsageError for any other text
 */
function readChange(text: string): [key: string, value: string | null] {
  const keyToRemove = text.slice(0, -1);
  return text.endsWith("-") && LABEL_PART.test(keyToRemove) ? [keyToRemove, null] : readLabel(text);
}

/** Parses a label, `KEY=VALUE`. @throws UsageError for any other text */
export function readLabel(text: string): [key: string, value: string] {
  const [, key = "", value = ""] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (LABEL_PART.test(key) && LABEL_PART.test(value)) return [key, value];
  throw new UsageError(`LABEL is "${text.slice(0, 100)}", expected ${EXPECTED}`);
}
