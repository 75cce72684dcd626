import type { InTurn } from "../../util/fair-turns.ts";
import type { Logger } from "../../util/logger.ts";
import type { OutboxRows, WebhookRows } from "../webhook.ts";
import { LONGEST_WAIT_MS } from "./retries.ts";

const EVERY_MS = 60_000;

/**
 * Limits on the messages kept for one webhook: a limit on waiting messages, and a limit that applies to
 * delivered messages and to failed messages separately.
 */
const MAX_WAITING = 20_000;
const MAX_ENDED = 20_000;

/** How long messages are kept, in ms. Usually all ten attempts of a message fit in this time. */
const KEPT_MS = 7 * 86_400_000;

export interface TrimmingOptions {
  webhooks: Pick<WebhookRows, "list">;
  outbox: Pick<OutboxRows, "trim">;
  inTurn: InTurn;
  logger: Logger;
}

/** Keeps the outbox within its limits, by removing old messages in small batches. */
export class Trimming {
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(private readonly options: TrimmingOptions) {}

  start(): void {
    this.#timer = setInterval(() => {
      this.trim().catch((error: unknown) => {
        this.options.logger.error("the outbox of webhooks was not trimmed", {}, error);
      });
    }, EVERY_MS);
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  async trim(limits = { waiting: MAX_WAITING, ended: MAX_ENDED }): Promise<void> {
    const { webhooks, outbox, inTurn, logger } = this.options;
    for (const { webhookId, name } of await webhooks.list("", Number.MAX_SAFE_INTEGER)) {
      let lost = 0;
      for (let isMore = true; isMore && !this.#isStopped;) {
        const now = Date.now();
        const bounds = { ...limits, before: now - KEPT_MS };
        const latest = now + 2 * LONGEST_WAIT_MS;
        const result = await inTurn(() => outbox.trim(webhookId, bounds, latest));
        lost += result.givenUp;
        ({ isMore } = result);
      }
      if (lost > 0)
        logger.warn("messages of a webhook were given up, too many wait", { name, lost });
    }
  }
}
