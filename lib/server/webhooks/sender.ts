import { TEST_EVENT } from "../../api/webhooks.ts";
import { nextRound } from "../../util/fair-turns.ts";
import type { Logger } from "../../util/logger.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Attempt, Message, OutboxRows, Webhook, WebhookRows } from "../webhook.ts";
import { type Answer, ANSWER_WITHIN_MS, type Post } from "./post.ts";
import { silenceAfter, waitAfter } from "./retries.ts";
import { signedHeaders } from "./signature.ts";

/** Limit on the messages that are sent to one webhook at the same time. */
const MAX_AT_ONCE = 4;

/** Number of messages whose bodies are written in one batch. */
const WRITTEN_AT_ONCE = 50;

/**
 * Delay in ms before the outbox is read after a call of `hint` or `wake`. Further calls meanwhile are handled
 * by the same read.
 */
const SOON_MS = 20;

/**
 * Longest time between two reads of the outbox, in ms. Another server may have written a message to the
 * outbox without telling this server.
 */
const READ_EVERY_MS = 2_000;

/**
 * Time after which a claimed message is due again, in ms, if the server that claimed it records no result.
 */
const CLAIMED_FOR_MS = ANSWER_WITHIN_MS + 15_000;

export interface SenderOptions {
  webhooks: WebhookRows;
  outbox: OutboxRows;
  bodyOf: (message: Message) => Promise<string | null>;
  post: Post;
  /** Computes the delay before the next attempt. The default is {@link waitAfter}. */
  wait?: typeof waitAfter;
  metrics: Pick<Metrics, "webhookAttempts">;
  /** Version of this program, for the User-Agent header. */
  version: string;
  logger: Logger;
}

/** The state of sending messages to one webhook. */
class Lane {
  /** Number of messages that are being sent to the webhook. */
  runningCount = 0;
  /** Number of consecutive attempts in which the receiver could not be reached. */
  unreachedCount = 0;
  /** Earliest time to send the next message to the webhook, in ms of `performance.now`. */
  notBefore = 0;

  get isFree(): boolean {
    // While the receiver is unreachable, only one message at a time is sent, as a test.
    const maxAtOnce = this.unreachedCount > 0 ? 1 : MAX_AT_ONCE;
    return this.runningCount < maxAtOnce && performance.now() >= this.notBefore;
  }
}

/**
 * Sends the messages of the outbox. Messages of a webhook are sent in parallel, except that messages about
 * the same download, client or other thing are sent in order. Several servers may send from one outbox: each
 * message is claimed by one server. While a receiver is unreachable, its messages wait.
 */
export class Sender {
  readonly #lanes = new Map<string, Lane>();
  readonly #stop = new AbortController();
  readonly #attempts = new Set<Promise<unknown>>();
  #timer: Timer | undefined;
  #reading: Promise<void> | undefined;
  /** Whether the outbox must be read again soon. */
  #isWanted = false;
  /** Whether there are no active webhooks, as far as this server knows. */
  #isIdle = true;

  constructor(private readonly options: SenderOptions) {}

  /** Called when a message may have been written to the outbox. Does nothing if there are no webhooks. */
  hint(): void {
    if (!this.#isIdle) this.wake();
  }

  /** Reads the outbox soon, for messages to send. */
  wake(): void {
    const wasWanted = this.#isWanted;
    this.#isWanted = true;
    // Starts the timer only once, so that many calls cannot delay the read of the outbox.
    if (!this.#reading && !wasWanted) this.#readAfter(SOON_MS);
  }

  /** Stops sending. Messages that are being sent are aborted, and become due at once for another server. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#stop.abort(new Error("the server stopped before an answer came"));
    await this.#reading;
    await Promise.all(this.#attempts);
  }

  /**
   * Sends a message at once. The caller has claimed it in the outbox, so no server sends it meanwhile.
   * @returns the recorded attempt
   */
  send(webhook: Webhook, message: Message): Promise<Attempt> {
    const sending = this.#attempt(webhook, message).then(({ attempt }) => attempt);
    return this.#tracked(sending);
  }

  #readAfter(ms: number): void {
    if (this.#stop.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#begin(), ms);
  }

  #begin(): void {
    this.#isWanted = false;
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    let wait = READ_EVERY_MS;
    try {
      wait = await this.#sendDue();
    } catch (error) {
      this.options.logger.error("the outbox of webhooks could not be read", {}, error);
    }
    this.#reading = undefined;
    this.#readAfter(this.#isWanted ? SOON_MS : wait);
  }

  /**
   * Starts to send messages that are due, as many as may be sent to each webhook at the same time.
   * @returns delay until the next read of the outbox, in ms
   */
  async #sendDue(): Promise<number> {
    const { webhooks, outbox } = this.options;
    const active = await webhooks.active();
    this.#isIdle = active.length === 0;
    if (this.#isIdle) return READ_EVERY_MS;
    await this.#writeBodies();
    this.#forgetLanes(active);
    for (const webhook of active) await this.#fill(webhook);
    const next = (await outbox.nextDueAt()) ?? Infinity;
    const now = performance.now();
    const lanes = [...this.#lanes.values()].map(({ notBefore }) => notBefore - now);
    const waits = [next - Date.now(), ...lanes].filter((wait) => wait > 0);
    return Math.min(READ_EVERY_MS, ...waits) + 1;
  }

  #forgetLanes(active: Webhook[]): void {
    const ids = new Set(active.map(({ webhookId }) => webhookId));
    for (const id of this.#lanes.keys()) if (!ids.has(id)) this.#lanes.delete(id);
  }

  /**
   * Writes the bodies of new messages. This is done soon after their events, because a body shows the row
   * that the event is about, and that row can change again.
   */
  async #writeBodies(): Promise<void> {
    const { outbox, bodyOf } = this.options;
    for (let isMore = true; isMore && !this.#stop.signal.aborted;) {
      const messages = await outbox.unwritten(WRITTEN_AT_ONCE);
      for (const message of messages) await outbox.write(message.messageId, await bodyOf(message));
      isMore = messages.length === WRITTEN_AT_ONCE;
    }
  }

  async #fill(webhook: Webhook): Promise<void> {
    const { webhookId } = webhook;
    const lane = this.#lanes.get(webhookId) ?? new Lane();
    this.#lanes.set(webhookId, lane);
    while (lane.isFree && !this.#stop.signal.aborted) {
      const now = Date.now();
      const message = await this.options.outbox.claim(webhookId, now, now + CLAIMED_FOR_MS);
      if (!message) return;
      lane.runningCount++;
      const delivery = this.#deliver(webhook, message, lane).finally(() => {
        lane.runningCount--;
        this.wake();
      });
      void this.#tracked(delivery);
    }
  }

  async #deliver(webhook: Webhook, message: Message, lane: Lane): Promise<void> {
    const { outbox, logger } = this.options;
    const { name, webhookId } = webhook;
    try {
      const { answer } = await this.#attempt(webhook, message);
      if (!answer.reached) {
        if (lane.unreachedCount++ === 0)
          logger.warn(`a webhook is not reached: ${answer.error}`, { name });
        lane.notBefore = performance.now() + silenceAfter(lane.unreachedCount);
        return;
      }
      if (lane.unreachedCount === 0) return;
      lane.unreachedCount = 0;
      logger.info("a webhook is reached again", { name });
      while (await outbox.hurry(webhookId, Date.now())) await nextRound();
    } catch (error) {
      logger.error("what became of a message was not recorded", { name }, error);
    }
  }

  /** Posts a message, and records the result. */
  async #attempt(webhook: Webhook, message: Message) {
    const startedAt = performance.now();
    const at = Date.now();
    const answer = await this.options.post(
      this.#requestOf(webhook, message, at),
      this.#stop.signal,
    );
    const attempt = this.#attemptOf(message, answer, at, Math.round(performance.now() - startedAt));
    await this.options.outbox.record(attempt, answer.reached);
    this.options.metrics.webhookAttempts[attempt.delivered ? "delivered" : "failed"]++;
    if (answer.status === 410) await this.#disable(webhook);
    else if (attempt.nextAt === null && !attempt.delivered) {
      const { messageId, type } = message;
      const fields = { name: webhook.name, message_id: messageId, type };
      this.options.logger.warn(`a message was given up: ${attempt.error}`, fields);
    }
    return { attempt, answer };
  }

  #requestOf({ url, secret, oldSecret, oldSecretUntil }: Webhook, message: Message, now: number) {
    const { messageId: id, body } = message;
    const isOldSecretValid = oldSecret !== null && (oldSecretUntil ?? 0) > now;
    const signed = {
      id,
      timestamp: Math.floor(now / 1000),
      body: body ?? "",
      secrets: isOldSecretValid ? [secret, oldSecret] : [secret],
    };
    const headers = {
      "Content-Type": "application/json",
      "User-Agent": `file-download-system/${this.options.version}`,
      ...signedHeaders(signed),
    };
    return { url: new URL(url), headers, body: signed.body };
  }

  #attemptOf(message: Message, answer: Answer, at: number, durationMs: number): Attempt {
    const { messageId, webhookId, type, subject, attempts: number } = message;
    const { status, retryAfterMs } = answer;
    const delivered = status !== null && status >= 200 && status < 300;
    const isLast = delivered || status === 410 || type === TEST_EVENT;
    const isAborted = this.#stop.signal.aborted && status === null;
    const { wait: waitFor = waitAfter } = this.options;
    const wait = isAborted ? 0 : waitFor(number, retryAfterMs);
    return {
      attemptId: Bun.randomUUIDv7(),
      messageId,
      webhookId,
      type,
      subject,
      number,
      at,
      durationMs,
      delivered,
      responseStatus: status,
      error: delivered ? null : (answer.error ?? `the receiver answered ${status}`),
      nextAt: isLast || wait === null ? null : at + durationMs + wait,
    };
  }

  async #disable({ webhookId, url, name }: Webhook): Promise<void> {
    const { webhooks, logger } = this.options;
    const isDone = await webhooks.disableGone(webhookId, url, Date.now());
    if (isDone) logger.warn("a webhook is disabled, its receiver answered 410", { name });
  }

  #tracked<T>(work: Promise<T>): Promise<T> {
    const settled = work.catch(() => undefined).finally(() => this.#attempts.delete(settled));
    this.#attempts.add(settled);
    return work;
  }
}
