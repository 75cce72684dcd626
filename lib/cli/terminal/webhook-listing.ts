import type { WebhookAttempt, WebhookRecord } from "../../api/webhooks.ts";
import { alignedFields } from "./labelled.ts";
import type { ListingColumn } from "./listing.ts";
import { NAME_COLUMNS, type StyledText } from "./terminal.ts";
import { formatAge, formatMoment } from "./times.ts";

/** Columns of the list of webhooks. */
export const WEBHOOK_COLUMNS: ListingColumn<WebhookRecord>[] = [
  {
    title: "name",
    importance: 9,
    minWidth: NAME_COLUMNS,
    shown: ({ name }) => name,
    raw: ({ name }) => name,
  },
  { title: "status", importance: 8, shown: statusOf, raw: ({ status }) => status },
  {
    title: "waiting",
    right: true,
    importance: 6,
    shown: ({ waiting }) => String(waiting),
    raw: ({ waiting }) => waiting,
  },
  {
    title: "url",
    importance: 7,
    minWidth: NAME_COLUMNS,
    shown: ({ url }) => url,
    raw: ({ url }) => url,
  },
  {
    title: "events",
    importance: 5,
    minWidth: NAME_COLUMNS,
    shown: ({ events }) => events.join(" "),
    raw: ({ events }) => events.join(" "),
  },
  {
    title: "made",
    importance: 3,
    shown: ({ created_at }) => formatAge(created_at),
    raw: ({ created_at }) => created_at,
  },
];

/** The columns of the list of attempts to send webhook messages. */
export const ATTEMPT_COLUMNS: ListingColumn<WebhookAttempt>[] = [
  {
    title: "attempt",
    importance: 9,
    shown: ({ attempt_id }) => attempt_id,
    raw: ({ attempt_id }) => attempt_id,
  },
  {
    title: "result",
    importance: 8,
    shown: (attempt) => ({
      text: resultOf(attempt),
      colour: attempt.delivered ? "green" : "red",
    }),
    raw: resultOf,
  },
  { title: "event", importance: 7, shown: ({ type }) => type, raw: ({ type }) => type },
  {
    title: "at",
    importance: 6,
    shown: ({ at }) => formatAge(at),
    raw: ({ at }) => at,
  },
  {
    title: "about",
    importance: 4,
    minWidth: NAME_COLUMNS,
    shown: ({ subject }) => subject,
    raw: ({ subject }) => subject,
  },
  {
    title: "next",
    importance: 5,
    shown: ({ next_attempt_at }) =>
      next_attempt_at === null ? "–" : formatMoment(next_attempt_at),
    raw: ({ next_attempt_at }) => next_attempt_at,
  },
];

/** Returns the result of an attempt as text: `delivered 200`, `refused 500` or `no answer`. */
function resultOf({ delivered, response_status: status }: WebhookAttempt): string {
  return status === null ? "no answer" : `${delivered ? "delivered" : "refused"} ${status}`;
}

/** Returns the error of an attempt without a response; null where the receiver responded. */
export function detailOfAttempt({ error, response_status: status }: WebhookAttempt): string | null {
  return status === null ? error : null;
}

/** Returns lines with all fields of a webhook, for a terminal. */
export function webhookFields(webhook: WebhookRecord, coloured: boolean): string[] {
  const { old_secret_until: oldUntil, created_at: made, disabled_at: disabled } = webhook;
  return alignedFields(
    {
      webhook: webhook.name,
      status: statusOf(webhook),
      url: webhook.url,
      events: webhook.events.join(", "),
      waiting: String(webhook.waiting),
      disabled: disabled === null ? null : formatMoment(disabled),
      "old secret": oldUntil === null ? null : `also signs until ${formatMoment(oldUntil)}`,
      made: `${formatMoment(made)} (${formatAge(made)})`,
      by: webhook.created_by,
    },
    coloured,
  );
}

function statusOf({ status, disabled_because: why }: WebhookRecord): StyledText {
  if (status === "active") return { text: status, colour: "green" };
  return { text: why === "gone" ? "disabled: 410" : status, colour: "red" };
}
