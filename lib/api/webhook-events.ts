/** Events that can be sent to webhooks. */
export const WEBHOOK_EVENTS = [
  "download.completed",
  "download.failed",
  "job.completed",
  "job.failed",
  "job.stopped",
  "delivery.missing",
  "delivery.late",
  "delivery.partial",
  "delivery.received",
  "client.offline",
  "client.online",
  "storage.low",
] as const;

export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];
