import * as z from "zod";
import { pageLimit } from "./page-limit.ts";
import { CredentialName } from "./tokens.ts";
import { WEBHOOK_EVENTS } from "./webhook-events.ts";

/* Schemas of webhooks and their messages in the REST interface. */

const time = z.iso.datetime().meta({ description: "ISO 8601, UTC" });

export const WebhookEvent = z.enum(WEBHOOK_EVENTS).meta({ id: "WebhookEvent" });

/** Type of the test message, which is sent on request to any webhook, whatever events the webhook is for. */
export const TEST_EVENT = "webhook.test";

/** Maximum number of characters of a webhook's URL. */
const MAX_URL = 2_048;

const WebhookUrl = z
  .string()
  .max(MAX_URL, `must be at most ${MAX_URL} characters`)
  .superRefine((text, context) => {
    const flaw = flawOf(text);
    if (flaw !== null) context.addIssue({ code: "custom", message: flaw });
  })
  .meta({ description: "where messages are posted to, http or https" });

const Events = z
  .array(WebhookEvent)
  .min(1, "must name at least one event")
  .max(WEBHOOK_EVENTS.length)
  .transform((events) => [...new Set(events)]);

export const NewWebhook = z
  .strictObject({ name: CredentialName, url: WebhookUrl, events: Events })
  .meta({ id: "NewWebhook" });
export type NewWebhook = z.input<typeof NewWebhook>;

export const WebhookChange = z
  .strictObject({
    url: WebhookUrl.optional(),
    events: Events.optional(),
    disabled: z.boolean().optional().meta({
      description: "true: nothing is sent; false: what waits is sent, also after a 410",
    }),
  })
  .meta({ id: "WebhookChange" });
export type WebhookChange = z.input<typeof WebhookChange>;

const fields = {
  name: CredentialName,
  url: z.string(),
  events: z.array(WebhookEvent),
  status: z.enum(["active", "disabled"]),
  disabled_at: time.nullable(),
  disabled_because: z
    .enum(["gone", "asked"])
    .nullable()
    .meta({ description: "gone: the receiver answered 410; asked: an admin did it" }),
  waiting: z.int().min(0).meta({ description: "messages that are still to be delivered" }),
  old_secret_until: time.nullable().meta({
    description: "until then messages are also signed with the secret before the present one",
  }),
  created_at: time,
  created_by: z.string().nullable().meta({ description: "name of the token" }),
};

export const WebhookRecord = z.object(fields).meta({ id: "Webhook" });
export type WebhookRecord = z.infer<typeof WebhookRecord>;

export const WebhookList = z
  .object({ webhooks: z.array(WebhookRecord) })
  .meta({ id: "WebhookList" });
export type WebhookList = z.infer<typeof WebhookList>;

/** The key that signs a webhook's messages: `whsec_`, then 24 to 64 bytes in base64. */
const WebhookSecret = z.string().regex(/^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/);

export const WebhookWithSecret = z
  .object({ ...fields, secret: WebhookSecret.meta({ description: "told this once" }) })
  .meta({ id: "WebhookWithSecret" });
export type WebhookWithSecret = z.infer<typeof WebhookWithSecret>;

export const WebhookAttempt = z
  .object({
    attempt_id: z.uuid(),
    message_id: z.string().meta({ description: "webhook-id of the message" }),
    type: z.string().meta({ description: `an event, or ${TEST_EVENT}` }),
    subject: z.string().meta({ description: "what it is about, such as download/ID" }),
    number: z.int().min(1).meta({ description: "which one of the message it was" }),
    at: time,
    duration_ms: z.int().min(0),
    delivered: z.boolean(),
    response_status: z.int().nullable().meta({ description: "null: there was no answer" }),
    error: z.string().nullable(),
    next_attempt_at: time.nullable().meta({ description: "null: there is none" }),
  })
  .meta({ id: "WebhookAttempt" });
export type WebhookAttempt = z.infer<typeof WebhookAttempt>;

export const WebhookAttemptQuery = z.strictObject({
  limit: pageLimit(50),
  cursor: z.uuid("must be the next_cursor of an earlier answer").optional(),
});

export const WebhookAttemptList = z
  .object({
    attempts: z.array(WebhookAttempt),
    next_cursor: z.string().nullable().meta({ description: "null: there are no more" }),
  })
  .meta({ id: "WebhookAttemptList" });
export type WebhookAttemptList = z.infer<typeof WebhookAttemptList>;

/** The data of a `storage.low` event. */
export const StorageSpace = z
  .object({
    free_bytes: z.int().min(0),
    size_bytes: z.int().min(0),
    min_free_bytes: z.int().min(0).meta({ description: "MIN_FREE_DISK" }),
  })
  .meta({ id: "StorageSpace" });
export type StorageSpace = z.infer<typeof StorageSpace>;

/** Returns what is wrong with the URL of a webhook; null if the URL is valid. */
function flawOf(text: string): string | null {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    return 'must be a URL such as "https://example.com/hook"';
  }
  if (url.username !== "" || url.password !== "") return "must be without a user and a password";
  return url.hash === "" && !text.includes("#") ? null : 'must be without a "#"';
}
