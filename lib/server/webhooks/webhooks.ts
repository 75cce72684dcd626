import type { WebhookEvent } from "../../api/webhook-events.ts";
import { TEST_EVENT } from "../../api/webhooks.ts";
import { FdsError } from "../../protocol/errors.ts";
import { nextRound } from "../../util/fair-turns.ts";
import type { Logger } from "../../util/logger.ts";
import { webhookRecord } from "../records/webhooks.ts";
import type { Attempt, OutboxRows, Webhook, WebhookRows } from "../webhook.ts";
import { bodyWith } from "./bodies.ts";
import { type Destinations, PrivateAddress } from "./destinations.ts";
import { ANSWER_WITHIN_MS } from "./post.ts";
import type { Sender } from "./sender.ts";
import { newWebhookSecret } from "./signature.ts";

/** Limit on the number of webhooks. Each event is checked against every webhook. */
const MAX_WEBHOOKS = 50;

/** Time in ms during which messages are also signed with the old secret, after a rotation. */
const OLD_SECRET_MS = 24 * 3_600_000;

/**
 * Time in ms for which a REST call claims the message that it sends, so that no server sends the message from
 * the outbox meanwhile. The call sends a test message, or the message of an earlier attempt.
 */
const CLAIMED_FOR_MS = 2 * ANSWER_WITHIN_MS;

export interface WebhooksOptions {
  rows: WebhookRows;
  outbox: OutboxRows;
  destinations: Destinations;
  sender: Pick<Sender, "send">;
  /**
   * Called when webhooks may have changed. Must read the outbox, and check whether low storage must be
   * reported.
   */
  onChange: () => void;
  logger: Logger;
}

/** A webhook, and the number of messages that wait for it. */
export interface KnownWebhook extends Webhook {
  waiting: number;
}

/** Changes of a webhook. Absent fields stay as they are. */
export interface WebhookOrderChange {
  url?: string | undefined;
  events?: WebhookEvent[] | undefined;
  disabled?: boolean | undefined;
}

/** Creates and changes webhooks, and sends messages on request. */
export class Webhooks {
  readonly #rows: WebhookRows;

  constructor(private readonly options: WebhooksOptions) {
    this.#rows = options.rows;
  }

  /**
   * Creates a webhook.
   * @throws FdsError `invalid_request` if the name is taken, the URL is not allowed, or there are too many
   *   webhooks
   */
  async create(
    { name, url, events }: Pick<Webhook, "name" | "url" | "events">,
    createdBy: string | null,
  ): Promise<KnownWebhook> {
    await this.#requireDestination(url);
    if ((await this.#rows.list("", MAX_WEBHOOKS)).length === MAX_WEBHOOKS) {
      throw new FdsError(
        "invalid_request",
        `There can be ${MAX_WEBHOOKS} webhooks, remove one first`,
      );
    }
    const webhook: Webhook = {
      webhookId: Bun.randomUUIDv7(),
      name,
      url,
      events,
      secret: newWebhookSecret(),
      oldSecret: null,
      oldSecretUntil: null,
      disabledAt: null,
      disabledBecause: null,
      createdAt: Date.now(),
      createdBy,
    };
    if (!(await this.#rows.insert(webhook))) {
      throw new FdsError(
        "invalid_request",
        `Choose another name, or remove the webhook "${name}" first`,
      );
    }
    this.options.logger.info("webhook made", { name, host: new URL(url).host });
    this.options.onChange();
    return { ...webhook, waiting: 0 };
  }

  /** Returns the webhook with this name. @throws FdsError `webhook_not_found` */
  async get(name: string): Promise<KnownWebhook> {
    return this.#withWaiting(await this.#rows.get(name));
  }

  /** Lists webhooks sorted by name, after a given name. */
  async list(after: string, limit: number): Promise<KnownWebhook[]> {
    const webhooks = await this.#rows.list(after, limit);
    return Promise.all(webhooks.map((webhook) => this.#withWaiting(webhook)));
  }

  /**
   * Changes a webhook.
   * @throws FdsError `webhook_not_found`; `invalid_request` if the URL is not allowed
   */
  async change(name: string, { url, events, disabled }: WebhookOrderChange): Promise<KnownWebhook> {
    if (url !== undefined) await this.#requireDestination(url);
    const disabledNow = { at: Date.now(), because: "asked" as const };
    const after = await this.#rows.change(name, {
      url,
      events,
      ...(disabled !== undefined && { disabled: disabled ? disabledNow : null }),
    });
    this.options.onChange();
    return this.#withWaiting(after);
  }

  /**
   * Replaces the signing secret. For a day, messages are signed with the old secret, too.
   * @throws FdsError `webhook_not_found`
   */
  async rotate(name: string): Promise<KnownWebhook> {
    const oldUntil = Date.now() + OLD_SECRET_MS;
    return this.#withWaiting(await this.#rows.rotate(name, newWebhookSecret(), oldUntil));
  }

  /**
   * Removes a webhook with its messages.
   * @throws FdsError `webhook_not_found`
   */
  async remove(name: string): Promise<KnownWebhook> {
    const webhook = await this.#withWaiting(await this.#rows.remove(name));
    this.#forget(webhook.webhookId).catch((error: unknown) => {
      this.options.logger.error("messages of a webhook were not removed", { name }, error);
    });
    return webhook;
  }

  /**
   * Sends a `webhook.test` message, in a single attempt.
   * @throws FdsError `webhook_not_found`
   */
  async test(name: string): Promise<Attempt> {
    const webhook = await this.get(name);
    const now = Date.now();
    const message = {
      messageId: `msg_${Bun.randomUUIDv7().replaceAll("-", "")}`,
      webhookId: webhook.webhookId,
      type: TEST_EVENT,
      subject: `webhook/${name}`,
      at: now,
      attempts: 1,
      body: bodyWith(TEST_EVENT, now, webhookRecord(webhook)),
    };
    await this.options.outbox.add(message, now + CLAIMED_FOR_MS);
    return this.options.sender.send(webhook, message);
  }

  /**
   * Lists the attempts to send messages to a webhook, newest first.
   * @throws FdsError `webhook_not_found`
   */
  async attempts(name: string, before: string | undefined, limit: number): Promise<Attempt[]> {
    const { webhookId } = await this.get(name);
    return this.#rows.attempts(webhookId, before, limit);
  }

  /**
   * Sends the message of an earlier attempt again, as if the message were new.
   * @throws FdsError `webhook_not_found`, `not_found`
   */
  async replay(name: string, attemptId: string): Promise<Attempt> {
    const webhook = await this.get(name);
    const attempt = await this.#rows.attempt(webhook.webhookId, attemptId);
    const until = Date.now() + CLAIMED_FOR_MS;
    const message = attempt && (await this.options.outbox.claimAgain(attempt.messageId, until));
    if (!message) throw new FdsError("not_found", "There is no attempt with this id");
    return this.options.sender.send(webhook, message);
  }

  /** Removes leftover messages of removed webhooks, and starts sending. */
  async recover(): Promise<void> {
    for (const webhookId of await this.options.outbox.orphans()) await this.#forget(webhookId);
    this.options.onChange();
  }

  async #withWaiting(webhook: Webhook | null): Promise<KnownWebhook> {
    if (!webhook) throw webhookNotFound();
    return { ...webhook, waiting: await this.options.outbox.countWaiting(webhook.webhookId) };
  }

  async #forget(webhookId: string): Promise<void> {
    while (await this.options.outbox.forget(webhookId)) await nextRound();
  }

  /**
   * Checks that messages may be sent to a URL. A host name that cannot be resolved now is accepted, as later
   * attempts report the error.
   * @throws FdsError `invalid_request` if the URL leads to a private network
   */
  async #requireDestination(url: string): Promise<void> {
    try {
      await this.options.destinations.addressesOf(new URL(url));
    } catch (error) {
      if (!(error instanceof PrivateAddress)) return;
      throw new FdsError("invalid_request", `"url": ${error.message}`, { cause: error });
    }
  }
}

/** Returns the error for a name without a webhook. */
export function webhookNotFound(): FdsError {
  return new FdsError("webhook_not_found", "There is no webhook of this name");
}
