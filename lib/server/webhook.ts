import type { WebhookEvent } from "../api/webhook-events.ts";

/* What a webhook is, what waits for it, and how both are kept. Times are ms since 1970. */

/** A URL that is told of events. */
export interface Webhook {
  /** UUIDv7: another one of the same name is another webhook. */
  webhookId: string;
  name: string;
  url: string;
  events: WebhookEvent[];
  /** What signs its messages, `whsec_…`: kept as it is, as each message has to be signed. */
  secret: string;
  /** The secret before, which also signs until a time; null: there is none. */
  oldSecret: string | null;
  oldSecretUntil: number | null;
  /** Since when nothing is sent to it; null: it is active. */
  disabledAt: number | null;
  disabledBecause: DisabledBecause | null;
  createdAt: number;
  createdBy: string | null;
}

/** Why a webhook is disabled: its receiver answered 410, or an admin asked for it. */
export type DisabledBecause = "gone" | "asked";

/** What can be changed of a webhook; what is not given stays. */
export interface WebhookChanges {
  url?: string | undefined;
  events?: WebhookEvent[] | undefined;
  /** null: it is active again */
  disabled?: { at: number; because: DisabledBecause } | null;
}

/** Something of which a webhook is to be told: a row of the outbox. */
export interface Message {
  /** The `webhook-id`, the same for all attempts. */
  messageId: string;
  webhookId: string;
  /** The event. */
  type: string;
  /** What it is about: `download/ID`. Messages about the same are delivered in order. */
  subject: string;
  /** When it happened. */
  at: number;
  /** How often it was tried. */
  attempts: number;
  /** JSON, written once; null: not yet. */
  body: string | null;
}

/** One try to deliver a message. */
export interface Attempt {
  /** UUIDv7, so ids sort by time. */
  attemptId: string;
  messageId: string;
  webhookId: string;
  type: string;
  subject: string;
  /** Which one of the message it was, from 1 on. */
  number: number;
  at: number;
  durationMs: number;
  /** The receiver took it. */
  delivered: boolean;
  /** HTTP status of the answer; null: there was none. */
  responseStatus: number | null;
  error: string | null;
  /** When it is tried again; null: never. */
  nextAt: number | null;
}

/** Webhooks, and the attempts to tell them. Each change is one conditional statement. */
export interface WebhookRows {
  /** @returns false if the name is taken */
  insert(webhook: Webhook): Promise<boolean>;
  get(name: string): Promise<Webhook | null>;
  /** By name, behind one. */
  list(after: string, limit: number): Promise<Webhook[]>;
  /** Those that are told, by name. */
  active(): Promise<Webhook[]>;
  /** @returns the webhook as it now is; null: there is none */
  change(name: string, changes: WebhookChanges): Promise<Webhook | null>;
  /** Disables one whose receiver is gone, unless it has another URL by now. @returns whether it did */
  disableGone(webhookId: string, url: string, at: number): Promise<boolean>;
  /** Gives it a new secret; the present one also signs until a time. */
  rotate(name: string, secret: string, oldUntil: number): Promise<Webhook | null>;
  /** @returns the webhook that was */
  remove(name: string): Promise<Webhook | null>;
  /** Newest first, with smaller ids than one. */
  attempts(webhookId: string, before: string | undefined, limit: number): Promise<Attempt[]>;
  attempt(webhookId: string, attemptId: string): Promise<Attempt | null>;
}

/** What is kept of each webhook. */
export interface OutboxBounds {
  /** Most messages that wait; more push out the oldest. */
  waiting: number;
  /** Most messages that are over. */
  over: number;
  /** What happened before this time is forgotten, and given up where it still waits. */
  before: number;
}

/**
 * The messages. Triggers of the database write them, in the statement that changes the row they are
 * about: see `database/migrations/tell-on.ts`.
 */
export interface OutboxRows {
  /** Messages whose body is to be written, in the order in which they came. */
  unwritten(limit: number): Promise<Message[]>;
  /** Writes the body, once. @param body null: there is nothing to tell, the message goes */
  write(messageId: string, body: string | null): Promise<void>;
  /** Adds one that no change made, for which `until` is as in {@link claim}. */
  add(message: Message, until: number): Promise<void>;
  /**
   * Takes the next message of a webhook that is due, and no later one about something of which an
   * earlier one waits. It is due again at `until`, should nobody record what became of it.
   */
  claim(webhookId: string, now: number, until: number): Promise<Message | null>;
  /** Takes one that may be over, as if it were new. @returns null: it is no more */
  claimAgain(messageId: string, until: number): Promise<Message | null>;
  /** Records an attempt, and what it makes of its message. @param reached whether somebody answered */
  record(attempt: Attempt, reached: boolean): Promise<void>;
  /** Some messages that met no receiver are due now. @returns whether there may be more */
  hurry(webhookId: string, now: number): Promise<boolean>;
  /** When the next message of an active webhook is due; null: none waits. */
  nextDueAt(): Promise<number | null>;
  /** How many messages wait for a webhook. */
  countWaiting(webhookId: string): Promise<number>;
  /**
   * Gives up and forgets some of what is beyond the bounds. Times that lie further ahead than `latest`
   * were set before the clock was put back: they have come.
   * @returns how many messages that waited were given up, and whether there may be more to do
   */
  trim(
    webhookId: string,
    bounds: OutboxBounds,
    latest: number,
  ): Promise<{ givenUp: number; isMore: boolean }>;
  /** Forgets some of what is of a webhook. @returns whether there may be more */
  forget(webhookId: string): Promise<boolean>;
  /** Ids of webhooks that are no more, and of which there is something. */
  orphans(): Promise<string[]>;

  /**
   * A client is away for so long that it is to be told: once, until it registers again.
   * @param leftAt when it left; one that connected later is not away
   */
  clientIsAway(clientId: string, leftAt: number, now: number): Promise<void>;
  /**
   * The storage is low: told once, until {@link storageHasRoom}, and not before somebody asks for it.
   * @param detail JSON of the space
   */
  storageIsLow(at: number, detail: string): Promise<void>;
  storageHasRoom(): Promise<void>;
  /** The space as it was told last; null: it is not low. */
  lowStorage(): Promise<string | null>;
}
