import type { WebhookEvent } from "../api/webhook-events.ts";

/* Webhooks and their messages, and the rows of both. Times are ms since 1970. */

/** A URL to which messages about events are sent. */
export interface Webhook {
  /** A UUIDv7. A new webhook may take the name of a removed one, but has an id of its own. */
  webhookId: string;
  name: string;
  url: string;
  events: WebhookEvent[];
  /** Key that signs the webhook's messages, `whsec_…`. It is stored unhashed, as signing needs it. */
  secret: string;
  /** The previous secret, which also signs messages until the time `oldSecretUntil`; null: none. */
  oldSecret: string | null;
  oldSecretUntil: number | null;
  /**
   * When the webhook was disabled, in ms since 1970; null: it is active. Nothing is sent to a disabled
   * webhook.
   */
  disabledAt: number | null;
  disabledBecause: DisabledBecause | null;
  createdAt: number;
  createdBy: string | null;
}

/** Why a webhook is disabled: its receiver answered with HTTP status 410, or an admin disabled it. */
export type DisabledBecause = "gone" | "asked";

/** Changes of a webhook. Absent fields stay as they are. */
export interface WebhookChanges {
  url?: string | undefined;
  events?: WebhookEvent[] | undefined;
  /** Disables the webhook; null: makes it active again. */
  disabled?: { at: number; because: DisabledBecause } | null;
}

/** A message for a webhook, stored as a row of the outbox. */
export interface Message {
  /** The header `webhook-id`, the same in all attempts at the message. */
  messageId: string;
  webhookId: string;
  /** Type of the event, such as `download.completed`. */
  type: string;
  /** Subject of the event, such as `download/ID`. Messages about the same subject are delivered in order. */
  subject: string;
  /** When the event happened, in ms since 1970. */
  at: number;
  /** The number of attempts to deliver the message so far. */
  attempts: number;
  /** The message as JSON, written once and sent in each attempt; null: not written yet. */
  body: string | null;
}

/** An attempt to deliver a message. */
export interface Attempt {
  /** UUIDv7, so ids sort by time. */
  attemptId: string;
  messageId: string;
  webhookId: string;
  type: string;
  subject: string;
  /** Number of this attempt among those for its message, from 1. */
  number: number;
  at: number;
  durationMs: number;
  /** True: the receiver accepted the message. */
  delivered: boolean;
  /** HTTP status of the receiver's response; null: there was no response. */
  responseStatus: number | null;
  error: string | null;
  /** Time of the next attempt, in ms since 1970; null: there is none. */
  nextAt: number | null;
}

/** The rows of webhooks and of attempts. Each change is one conditional statement. */
export interface WebhookRows {
  /** Inserts a webhook. @returns false: another webhook has the name */
  insert(webhook: Webhook): Promise<boolean>;
  get(name: string): Promise<Webhook | null>;
  /** Lists webhooks in the order of their names, starting after the name `after`. */
  list(after: string, limit: number): Promise<Webhook[]>;
  /** Lists the active webhooks in the order of their names. */
  active(): Promise<Webhook[]>;
  /** Changes a webhook's row. @returns the webhook as it is now; null: there is none */
  change(name: string, changes: WebhookChanges): Promise<Webhook | null>;
  /**
   * Disables a webhook whose receiver answered that it is gone, unless the webhook's URL has changed since.
   * @returns whether the webhook was disabled
   */
  disableGone(webhookId: string, url: string, at: number): Promise<boolean>;
  /** Sets a new secret of a webhook. The previous secret also signs messages until `oldUntil`. */
  rotate(name: string, secret: string, oldUntil: number): Promise<Webhook | null>;
  /** Removes a webhook. @returns the removed webhook; null: there is none */
  remove(name: string): Promise<Webhook | null>;
  /** Lists the attempts of a webhook, newest first. @param before only attempts with smaller ids */
  attempts(webhookId: string, before: string | undefined, limit: number): Promise<Attempt[]>;
  attempt(webhookId: string, attemptId: string): Promise<Attempt | null>;
}

/** Limits of the messages that are kept for a webhook. */
export interface OutboxBounds {
  /** Maximum number of waiting messages. Beyond that, the oldest ones are given up. */
  waiting: number;
  /**
   * Limit on the delivered messages that are kept, and also on the failed ones. Beyond this limit, the oldest
   * messages are removed.
   */
  ended: number;
  /**
   * Messages about events before this time, in ms since 1970, are removed. Waiting ones are given up first.
   */
  before: number;
}

/**
 * The rows of messages. A trigger of the database inserts a message in the same statement that changes the
 * row that the message is about: see `database/migrations/tell-on.ts`.
 */
export interface OutboxRows {
  /** Lists messages without a body, oldest first. */
  unwritten(limit: number): Promise<Message[]>;
  /**
   * Writes the body of a message that has none.
   * @param body null: there is nothing to report, so the message is removed
   */
  write(messageId: string, body: string | null): Promise<void>;
  /**
   * Inserts a test message, which no trigger makes, and claims it. If no result is recorded, the message is
   * due again at `until`.
   */
  add(message: Message, until: number): Promise<void>;
  /**
   * Claims the next due message of a webhook. A message is left out while an earlier one about the same
   * subject waits. If no result is recorded, the message is due again at `until`.
   */
  claim(webhookId: string, now: number, until: number): Promise<Message | null>;
  /**
   * Claims a message to deliver it again, even if it was delivered or given up before. If no result is
   * recorded, the message is due again at `until`.
   * @returns null: the message no longer exists
   */
  claimAgain(messageId: string, until: number): Promise<Message | null>;
  /**
   * Records an attempt, and the state of its message that follows.
   * @param reached whether a connection to the receiver was made
   */
  record(attempt: Attempt, reached: boolean): Promise<void>;
  /**
   * Makes a batch of a webhook's waiting messages due now, namely those whose last attempt did not reach the
   * receiver.
   * @returns whether there may be more
   */
  hurry(webhookId: string, now: number): Promise<boolean>;
  /** When the next message of an active webhook is due, in ms since 1970; null: no message waits. */
  nextDueAt(): Promise<number | null>;
  /** The number of a webhook's waiting messages. */
  countWaiting(webhookId: string): Promise<number>;
  /**
   * Applies the limits to a webhook's messages. Beyond a limit, a batch of waiting messages is given up, and
   * a batch of delivered and failed messages is removed.
   * @param latest the latest time, in ms since 1970, for which a message can be due. A message due later
   *   counts as due now, because it means that the clock was set back
   * @returns how many waiting messages were given up, and whether there may be more beyond the limits
   */
  trim(
    webhookId: string,
    bounds: OutboxBounds,
    latest: number,
  ): Promise<{ givenUp: number; isMore: boolean }>;
  /** Removes a batch of messages of a removed webhook. @returns whether there may be more */
  forget(webhookId: string): Promise<boolean>;
  /** Ids of removed webhooks that still have messages. */
  orphans(): Promise<string[]>;

  /**
   * Reports to webhooks that a client has been away for long. A client is reported once, until it registers
   * again.
   * @param leftAt when the client left; nothing is reported if it connected later
   */
  clientIsAway(clientId: string, leftAt: number, now: number): Promise<void>;
  /**
   * Reports to webhooks that storage space is low. This is done once until {@link storageHasRoom} is called,
   * and only if a webhook wants this event.
   * @param detail JSON of the free space
   */
  storageIsLow(at: number, detail: string): Promise<void>;
  storageHasRoom(): Promise<void>;
  /** The free space as it was last reported, as JSON; null: storage space is not low. */
  lowStorage(): Promise<string | null>;
}
