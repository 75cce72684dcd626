import { endpoints } from "../../../api/endpoints.ts";
import { attemptRecord, webhookRecord } from "../../records/webhooks.ts";
import type { Webhooks } from "../../webhooks/webhooks.ts";
import type { MakeCall } from "../call.ts";
import { json } from "../json.ts";
import { listAnswer } from "../long-list.ts";

export interface WebhookCallsOptions {
  webhooks: Webhooks;
}

/** Builds the handlers of the REST calls about webhooks. */
export function webhookCalls(call: MakeCall, options: WebhookCallsOptions) {
  return { ...managing(call, options), ...sending(call, options) };
}

function managing(call: MakeCall, { webhooks }: WebhookCallsOptions) {
  return {
    listWebhooks: call(endpoints.listWebhooks, ({ var: { answering } }) =>
      listAnswer(answering, {
        name: "webhooks",
        read: (after = "", limit) => answering.inTurn(() => webhooks.list(after, limit)),
        idOf: ({ name }) => name,
        record: webhookRecord,
      }),
    ),

    createWebhook: call(endpoints.createWebhook, async (c) => {
      const body = c.req.valid("json");
      c.var.note({ target: body.name });
      const webhook = await webhooks.create(body, c.var.caller.name);
      return json({ ...webhookRecord(webhook), secret: webhook.secret }, { status: 201 });
    }),

    getWebhook: call(endpoints.getWebhook, async (c) =>
      json(webhookRecord(await webhooks.get(c.req.param("name")))),
    ),

    changeWebhook: call(endpoints.changeWebhook, async (c) => {
      const name = c.req.param("name");
      c.var.note({ target: name });
      return json(webhookRecord(await webhooks.change(name, c.req.valid("json"))));
    }),

    deleteWebhook: call(endpoints.deleteWebhook, async (c) => {
      const name = c.req.param("name");
      c.var.note({ target: name });
      return json(webhookRecord(await webhooks.remove(name)));
    }),

    rotateWebhookSecret: call(endpoints.rotateWebhookSecret, async (c) => {
      const name = c.req.param("name");
      c.var.note({ target: name });
      const webhook = await webhooks.rotate(name);
      return json({ ...webhookRecord(webhook), secret: webhook.secret });
    }),
  };
}

/**
 * Builds the handlers of the REST calls that send a webhook message at once, or list the attempts to send
 * messages.
 */
function sending(call: MakeCall, { webhooks }: WebhookCallsOptions) {
  return {
    testWebhook: call(endpoints.testWebhook, async (c) => {
      const name = c.req.param("name");
      c.var.note({ target: name });
      return json(attemptRecord(await webhooks.test(name)));
    }),

    listWebhookAttempts: call(endpoints.listWebhookAttempts, async (c) => {
      const { answering } = c.var;
      const name = c.req.param("name");
      return listAnswer(answering, {
        name: "attempts",
        read: (before, limit) => answering.inTurn(() => webhooks.attempts(name, before, limit)),
        idOf: ({ attemptId }) => attemptId,
        record: attemptRecord,
        page: c.req.valid("query"),
      });
    }),

    replayWebhookAttempt: call(endpoints.replayWebhookAttempt, async (c) => {
      const name = c.req.param("name");
      c.var.note({ target: name });
      return json(attemptRecord(await webhooks.replay(name, c.req.param("attempt_id"))));
    }),
  };
}
