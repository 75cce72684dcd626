import type { WebhookEvent } from "../api/webhook-events.ts";

/* What webhooks and their messages are, and their rows. Times are ms since 1970. */

/** A URL that is told of events. */
export interface Webhook {
  /** UUIDv7. A later webhook with the same name has another id. */
  webhookId: string;
  name: string;
  url: string;
  events: WebhookEvent[];
  /** Key that signs its messages, `whsec_…`. It is stored as it is, as each message has to be signed. */
  secret: string;
  /** Previous secret, which also signs until a given time; null: none. */
  oldSecret: string | null;
  oldSecretUntil: number | null;
  /** Since when nothing is sent to it; null: it is active. */
  disabledAt: number | null;
  disabledBecause: DisabledBecause | null;
  createdAt: number;
  createdBy: string | null;
}

/** Why a webhook is disabled: its receiver answered 410, or an admin disabled it. */
export type DisabledBecause = "gone" | "asked";

/** Changes of a webhook; absent fields stay as they are. */
export interface WebhookChanges {
  url?: string | undefined;
  events?: WebhookEvent[] | undefined;
  /** null: makes it active again. */
  disabled?: { at: number; because: DisabledBecause } | null;
}

/** A message for a webhook: a row of the outbox. */
export interface Message {
  /** The `webhook-id`, the same in all attempts. */
  messageId: string;
  webhookId: string;
  /** Type of the event. */
  type: string;
  /** Its subject, such as `download/ID`. Messages about the same subject are delivered in order. */
  subject: string;
  /** When the event happened. */
  at: number;
  /** Number of attempts so far. */
  attempts: number;
  /** JSON that is written once; null: not yet. */
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
  /** Number of the attempt for its message, from 1. */
  number: number;
  at: number;
  durationMs: number;
  /** True: the receiver accepted it. */
  delivered: boolean;
  /** HTTP status of the answer; null: no answer. */
  responseStatus: number | null;
  error: string | null;
  /** Time of the next attempt; null: none. */
  nextAt: number | null;
}

/** The rows of webhooks and of attempts. Each change is one conditional statement. */
export interface WebhookRows {
  /** @returns false if the name is taken */
  insert(webhook: Webhook): Promise<boolean>;
  get(name: string): Promise<Webhook | null>;
  /** By name, after a given one. */
  list(after: string, limit: number): Promise<Webhook[]>;
  /** Active webhooks, by name. */
  active(): Promise<Webhook[]>;
  /** @returns the webhook as it is now; null: there is none */
  change(name: string, changes: WebhookChanges): Promise<Webhook | null>;
  /**
   * Disables a webhook whose receiver is gone, unless its URL has changed meanwhile.
   * @returns whether it did
   */
  disableGone(webhookId: string, url: string, at: number): Promise<boolean>;
  /** Sets a new secret. The previous one also signs until a given time. */
  rotate(name: string, secret: string, oldUntil: number): Promise<Webhook | null>;
  /** @returns the webhook that was removed */
  remove(name: string): Promise<Webhook | null>;
  /** Newest first, with smaller ids than a given one. */
  attempts(webhookId: string, before: string | undefined, limit: number): Promise<Attempt[]>;
  attempt(webhookId: string, attemptId: string): Promise<Attempt | null>;
}

/** Limits of a webhook's messages. */
export interface OutboxBounds {
  /** Most waiting messages; further ones push out the oldest. */
  waiting: number;
  /** Most messages that are kept after they were delivered or given up. */
  over: number;
  /** Messages about events before this time are removed; waiting ones are given up. */
  before: number;
}

/**
 * The rows of messages. Triggers of the database insert them, in the same statement that changes the row
 * they are about: see `database/migrations/tell-on.ts`.
 */
export interface OutboxRows {
  /** Messages without a body, in the order in which they came. */
  unwritten(limit: number): Promise<Message[]>;
  /** Writes the body, once. @param body null: there is nothing to report, so the message is removed */
  write(messageId: string, body: string | null): Promise<void>;
  /** Adds a message that belongs to no change of a row. `until` is as in {@link claim}. */
  add(message: Message, until: number): Promise<void>;
  /**
   * Takes the next due message of a webhook, except one about a subject for which an earlier one waits. If
   * nobody records the result, it is due again at `until`.
   */
  claim(webhookId: string, now: number, until: number): Promise<Message | null>;
  /** Takes a message that may be over, as if it were new. @returns null: it no longer exists */
  claimAgain(messageId: string, until: number): Promise<Message | null>;
  /**
   * Records an attempt, and the resulting state of its message.
   * @param reached whether there was an answer
   */
  record(attempt: Attempt, reached: boolean): Promise<void>;
  /**
   * Makes a batch of messages due now whose receiver could not be reached.
   * @returns whether there may be more
   */
  hurry(webhookId: string, now: number): Promise<boolean>;
  /** When the next message of an active webhook is due; null: none waits. */
  nextDueAt(): Promise<number | null>;
  /** Number of a webhook's waiting messages. */
  countWaiting(webhookId: string): Promise<number>;
  /**
   * Gives up and removes a batch of messages beyond the limits. Times further ahead than `latest` were set
   * before the clock was put back, and count as reached.
   * @returns how many waiting messages were given up, and whether there may be more to do
   */
  trim(
    webhookId: string,
    bounds: OutboxBounds,
    latest: number,
  ): Promise<{ givenUp: number; isMore: boolean }>;
  /** Removes a batch of a removed webhook's rows. @returns whether there may be more */
  forget(webhookId: string): Promise<boolean>;
  /** Ids of removed webhooks that still have rows. */
  orphans(): Promise<string[]>;

  /**
   * Reports that a client has been away for long: once, until it registers again.
   * @param leftAt when it left; a client that connected later is not reported
   */
  clientIsAway(clientId: string, leftAt: number, now: number): Promise<void>;
  /**
   * Reports that storage space is low: once, until {@link storageHasRoom}, and only while a webhook asks
   * for it.
   * @param detail JSON of the space
   */
  storageIsLow(at: number, detail: string): Promise<void>;
  storageHasRoom(): Promise<void>;
  /** The space as it was last reported; null: it is not low. */
  lowStorage(): Promise<string | null>;
}
