import type { WebhookAttempt, WebhookRecord } from "../../api/webhooks.ts";
import type { Attempt, Webhook } from "../webhook.ts";
import { isoTime } from "./records.ts";

/** A webhook as REST shows it, without its secrets. @param webhook `waiting`: number of waiting messages */
export function webhookRecord(webhook: Webhook & { waiting: number }): WebhookRecord {
  const { disabledAt, oldSecretUntil } = webhook;
  return {
    name: webhook.name,
    url: webhook.url,
    events: webhook.events,
    status: disabledAt === null ? "active" : "disabled",
    disabled_at: disabledAt === null ? null : isoTime(disabledAt),
    disabled_because: webhook.disabledBecause,
    waiting: webhook.waiting,
    old_secret_until: oldSecretUntil === null ? null : isoTime(oldSecretUntil),
    created_at: isoTime(webhook.createdAt),
    created_by: webhook.createdBy,
  };
}

/** An attempt to deliver a webhook's message, as REST shows it. */
export function attemptRecord(attempt: Attempt): WebhookAttempt {
  return {
    attempt_id: attempt.attemptId,
    message_id: attempt.messageId,
    type: attempt.type,
    subject: attempt.subject,
    number: attempt.number,
    at: isoTime(attempt.at),
    duration_ms: attempt.durationMs,
    delivered: attempt.delivered,
    response_status: attempt.responseStatus,
    error: attempt.error,
    next_attempt_at: attempt.nextAt === null ? null : isoTime(attempt.nextAt),
  };
}
