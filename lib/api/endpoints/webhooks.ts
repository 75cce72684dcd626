import {
  NewWebhook,
  WebhookAttempt,
  WebhookAttemptList,
  WebhookAttemptQuery,
  WebhookChange,
  WebhookList,
  WebhookRecord,
  WebhookWithSecret,
} from "../webhooks.ts";
import type { Endpoint } from "./endpoint.ts";

const theWebhook = { status: 200, description: "The webhook", schema: WebhookRecord } as const;
const theAttempt = { status: 200, description: "The attempt", schema: WebhookAttempt } as const;

/** REST calls about webhooks, which are URLs that receive events. */
export const webhookEndpoints = {
  listWebhooks: {
    method: "GET",
    path: "/api/webhooks",
    summary: "The webhooks, without their secrets",
    role: "admin",
    answers: [{ status: 200, description: "The webhooks, by name", schema: WebhookList }],
    errors: [],
  },
  createWebhook: {
    method: "POST",
    path: "/api/webhooks",
    summary: "Have a URL told of events, by messages that are signed as Standard Webhooks says",
    role: "admin",
    audit: "webhook_create",
    body: NewWebhook,
    answers: [
      { status: 201, description: "The webhook with its secret", schema: WebhookWithSecret },
    ],
    errors: ["request_too_large"],
  },
  getWebhook: {
    method: "GET",
    path: "/api/webhooks/:name",
    summary: "One webhook, without its secret",
    role: "admin",
    answers: [theWebhook],
    errors: ["webhook_not_found"],
  },
  changeWebhook: {
    method: "PATCH",
    path: "/api/webhooks/:name",
    summary: "Change the URL and the events of a webhook, disable it, or enable it again",
    role: "admin",
    audit: "webhook_change",
    body: WebhookChange,
    answers: [theWebhook],
    errors: ["webhook_not_found", "request_too_large"],
  },
  deleteWebhook: {
    method: "DELETE",
    path: "/api/webhooks/:name",
    summary: "Remove a webhook, with all that waits for it",
    role: "admin",
    audit: "webhook_delete",
    answers: [theWebhook],
    errors: ["webhook_not_found"],
  },
  testWebhook: {
    method: "POST",
    path: "/api/webhooks/:name/test",
    summary: "Send a message of the type webhook.test once, and tell what became of it",
    role: "admin",
    audit: "webhook_test",
    hasLongAnswer: true,
    answers: [theAttempt],
    errors: ["webhook_not_found"],
  },
  rotateWebhookSecret: {
    method: "POST",
    path: "/api/webhooks/:name/rotate",
    summary: "Make a new secret; for 24 h messages are signed with the one before too",
    role: "admin",
    audit: "webhook_rotate",
    answers: [
      { status: 200, description: "The webhook with its new secret", schema: WebhookWithSecret },
    ],
    errors: ["webhook_not_found"],
  },
  listWebhookAttempts: {
    method: "GET",
    path: "/api/webhooks/:name/attempts",
    summary: "The attempts to deliver messages, newest first",
    role: "admin",
    query: WebhookAttemptQuery,
    answers: [{ status: 200, description: "A page of them", schema: WebhookAttemptList }],
    errors: ["webhook_not_found"],
  },
  replayWebhookAttempt: {
    method: "POST",
    path: "/api/webhooks/:name/attempts/:attempt_id/replay",
    summary: "Send the message of an attempt again, and tell what became of it",
    role: "admin",
    audit: "webhook_replay",
    hasLongAnswer: true,
    answers: [theAttempt],
    errors: ["webhook_not_found", "not_found"],
  },
} as const satisfies Record<string, Endpoint>;
