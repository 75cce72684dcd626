import type { Repository } from "../../../lib/server/database/repository.ts";
import type { Attempt, Message, Webhook } from "../../../lib/server/webhook.ts";
import { completed, failed, id, queued } from "./samples.ts";

export const NOW = 1_700_000_000_000;
/** One minute after NOW, in ms since 1970. */
export const FAR = NOW + 60_000;

/** A webhook for the ends of downloads and jobs. */
export const webhook: Webhook = {
  webhookId: id(70),
  name: "ops",
  url: "https://example.com/ü?a=1",
  events: ["download.completed", "download.failed", "job.completed", "job.stopped"],
  secret: "whsec_c2VjcmV0",
  oldSecret: null,
  oldSecretUntil: null,
  disabledAt: null,
  disabledBecause: null,
  createdAt: NOW,
  createdBy: "API_TOKEN",
};

/** Another webhook, for clients that go offline. */
export const other: Webhook = {
  ...webhook,
  webhookId: id(71),
  name: "pager",
  events: ["client.offline"],
};

/** Helpers of the webhook tests. @param rows returns the repository of the running test */
export function outboxOf(rows: () => Repository) {
  return {
    /** Inserts a download, and ends it in this state. */
    async end(n: number, state: typeof completed | typeof failed = completed) {
      const { revision } = await rows().insertDownload(queued(n));
      const savedPath = state.status === "completed" && { savedPath: `site-1/${n}` };
      const next = { ...state, ...savedPath, downloadId: id(n), revision, clientId: "site-1" };
      return (await rows().replaceDownload(next))!;
    },

    /** Writes a body for each message that has none. @returns these messages */
    async written(): Promise<Message[]> {
      const messages = await rows().outbox.unwritten(1_000);
      for (const { messageId } of messages) await rows().outbox.write(messageId, "{}");
      return messages;
    },
  };
}

/** Claims the webhook's next due message; null if there is none. */
export const claim = (from: Repository, now = NOW, until = FAR) =>
  from.outbox.claim(webhook.webhookId, now, until);

/** Returns a failed attempt of the message. The message is due again 5 ms later. */
export const attemptOf = ({ messageId, type, subject, attempts }: Message): Attempt => ({
  attemptId: id(attempts),
  messageId,
  webhookId: webhook.webhookId,
  type,
  subject,
  number: attempts,
  at: NOW,
  durationMs: 12,
  delivered: false,
  responseStatus: 500,
  error: "it said 'no'",
  nextAt: NOW + 5,
});
