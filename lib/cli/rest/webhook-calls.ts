import { endpoints } from "../../api/endpoints.ts";
import type { AnswerOf } from "../../api/endpoints/endpoint.ts";
import type { RequestOf } from "../../api/endpoints/request.ts";
import type { Transport } from "./transport.ts";

type Endpoints = typeof endpoints;
type Answer<Name extends keyof Endpoints> = Promise<AnswerOf<Endpoints[Name]>>;
type Query<Name extends keyof Endpoints> = NonNullable<RequestOf<Endpoints[Name]>["query"]>;
type Body<Name extends keyof Endpoints> = RequestOf<Endpoints[Name]>["body"];

/** The calls for webhooks. They throw the same errors as ApiClient. */
export class WebhookCalls {
  constructor(private readonly transport: Transport) {}

  async list(signal?: AbortSignal) {
    const list = await this.transport.call(endpoints.listWebhooks, {}, { signal });
    return list.webhooks;
  }

  get(name: string, signal?: AbortSignal): Answer<"getWebhook"> {
    return this.transport.call(endpoints.getWebhook, { params: { name } }, { signal });
  }

  /** Creates a webhook. Only this response contains the secret. */
  create(body: Body<"createWebhook">, signal?: AbortSignal): Answer<"createWebhook"> {
    return this.transport.call(endpoints.createWebhook, { body }, { signal });
  }

  change(name: string, body: Body<"changeWebhook">, signal?: AbortSignal): Answer<"changeWebhook"> {
    return this.transport.call(endpoints.changeWebhook, { params: { name }, body }, { signal });
  }

  remove(name: string, signal?: AbortSignal): Answer<"deleteWebhook"> {
    return this.transport.call(endpoints.deleteWebhook, { params: { name } }, { signal });
  }

  /** Sends a test message at once. @returns the attempt to send it */
  test(name: string, signal?: AbortSignal): Answer<"testWebhook"> {
    return this.transport.call(endpoints.testWebhook, { params: { name } }, { signal });
  }

  /** Replaces the secret of a webhook. Only this response contains the new secret. */
  rotate(name: string, signal?: AbortSignal): Answer<"rotateWebhookSecret"> {
    return this.transport.call(endpoints.rotateWebhookSecret, { params: { name } }, { signal });
  }

  /** Returns one page of attempts to send messages. The page's `next_cursor` selects the next page. */
  attempts(
    name: string,
    query: Query<"listWebhookAttempts"> = {},
    signal?: AbortSignal,
  ): Answer<"listWebhookAttempts"> {
    const request = { params: { name }, query };
    return this.transport.call(endpoints.listWebhookAttempts, request, { signal });
  }

  /** Sends the message of an earlier attempt again. @returns the new attempt */
  replay(name: string, attemptId: string, signal?: AbortSignal): Answer<"replayWebhookAttempt"> {
    const request = { params: { name, attempt_id: attemptId } };
    return this.transport.call(endpoints.replayWebhookAttempt, request, { signal });
  }
}
