import type { Attempt, Message, OutboxBounds, OutboxRows } from "../webhook.ts";
import type { SqlDatabase } from "./database.ts";
import { tableOfIds, skipLocked } from "./engines.ts";
import { numberOrNull } from "./rows.ts";
import { insertion, sql } from "./statement.ts";
import type { AttemptRow } from "./webhooks-sql.ts";

/**
 * Limit on the messages that one statement removes, gives up or makes due. Such a statement takes about a
 * millisecond.
 */
const BATCH = 100;

const COLUMNS = sql`message_id, webhook_id, type, subject, at, attempts, body`;

/** Reads and writes the rows of the outbox: messages for webhooks. */
export class OutboxSql implements OutboxRows {
  constructor(private readonly database: SqlDatabase) {}

  async unwritten(limit: number): Promise<Message[]> {
    const rows = await this.database.run<Message>(sql`
      SELECT ${COLUMNS} FROM webhook_messages WHERE body IS NULL ORDER BY number LIMIT ${limit}`);
    return rows.map(toMessage);
  }

  async write(messageId: string, body: string | null): Promise<void> {
    await this.database.run(
      body === null
        ? sql`DELETE FROM webhook_messages WHERE message_id = ${messageId} AND body IS NULL`
        : sql`UPDATE webhook_messages SET body = ${body}
            WHERE message_id = ${messageId} AND body IS NULL`,
    );
  }

  async add(message: Message, until: number): Promise<void> {
    const row = { ...message, status: "waiting", nextAt: until };
    await this.database.run(sql`INSERT INTO webhook_messages ${insertion(row)}`);
  }

  async claim(webhookId: string, now: number, until: number): Promise<Message | null> {
    // Claiming flushes the database, so that no receiver is told of a change that a power cut then undoes.
    const [row] = await this.database.runDurably<Message>(sql`
      UPDATE webhook_messages SET attempts = attempts + 1, next_at = ${until}, unreached = 0
      WHERE status = 'waiting' AND message_id = (
        SELECT message_id FROM webhook_messages AS due
        WHERE webhook_id = ${webhookId} AND status = 'waiting' AND next_at <= ${now}
          AND body IS NOT NULL
          AND NOT EXISTS (
            SELECT 1 FROM webhook_messages AS earlier
            WHERE earlier.webhook_id = due.webhook_id AND earlier.subject = due.subject
              AND earlier.status = 'waiting' AND earlier.number < due.number)
        ORDER BY next_at, number
        LIMIT 1 ${skipLocked()})
      RETURNING ${COLUMNS}`);
    return row ? toMessage(row) : null;
  }

  async claimAgain(messageId: string, until: number): Promise<Message | null> {
    const [row] = await this.database.runDurably<Message>(sql`
      UPDATE webhook_messages
      SET status = 'waiting', attempts = 1, next_at = ${until}, unreached = 0
      WHERE message_id = ${messageId} AND body IS NOT NULL
      RETURNING ${COLUMNS}`);
    return row ? toMessage(row) : null;
  }

  async record(attempt: Attempt, isReached: boolean): Promise<void> {
    const row: AttemptRow = { ...attempt, delivered: Number(attempt.delivered) };
    await this.database.run(sql`INSERT INTO webhook_attempts ${insertion({ ...row })}`);
    const { messageId, number, delivered, nextAt } = attempt;
    if (delivered || nextAt === null) {
      await this.database.run(sql`
        UPDATE webhook_messages SET status = ${delivered ? "delivered" : "failed"}
        WHERE message_id = ${messageId} AND status = 'waiting'
          ${delivered ? sql`` : sql`AND attempts = ${number}`}`);
      return;
    }
    await this.database.run(sql`
      UPDATE webhook_messages SET next_at = ${nextAt}, unreached = ${Number(!isReached)}
      WHERE message_id = ${messageId} AND status = 'waiting' AND attempts = ${number}`);
  }

  async hurry(webhookId: string, now: number): Promise<boolean> {
    const rows = await this.database.run(sql`
      UPDATE webhook_messages SET next_at = ${now}, unreached = 0
      WHERE unreached = 1 AND message_id IN (
        SELECT message_id FROM webhook_messages
        WHERE webhook_id = ${webhookId} AND status = 'waiting' AND unreached = 1
        LIMIT ${BATCH})
      RETURNING message_id`);
    return rows.length === BATCH;
  }

  async nextDueAt(): Promise<number | null> {
    const [row] = await this.database.run<{ at: number | null }>(sql`
      SELECT MIN((SELECT MIN(next_at) FROM webhook_messages AS message
        WHERE message.webhook_id = webhooks.webhook_id AND message.status = 'waiting')) AS at
      FROM webhooks WHERE disabled_at IS NULL`);
    return numberOrNull(row?.at ?? null);
  }

  async countWaiting(webhookId: string): Promise<number> {
    const [row] = await this.database.run<{ count: number }>(sql`
      SELECT COUNT(*) AS count FROM webhook_messages
      WHERE webhook_id = ${webhookId} AND status = 'waiting'`);
    return Number(row?.count ?? 0);
  }

  async trim(
    webhookId: string,
    bounds: OutboxBounds,
    latest: number,
  ): Promise<{ givenUp: number; isMore: boolean }> {
    await this.database.run(sql`
      UPDATE webhook_messages SET next_at = 0
      WHERE webhook_id = ${webhookId} AND status = 'waiting' AND next_at > ${latest}`);
    const waiting = await this.#excess(webhookId, "waiting", bounds.waiting, bounds.before);
    const givenUp = await this.#giveUp(waiting);
    let isMore = waiting.length === BATCH;
    for (const status of ["delivered", "failed"]) {
      const excess = await this.#excess(webhookId, status, bounds.ended, bounds.before);
      await this.#forget(excess);
      isMore ||= excess.length === BATCH;
    }
    return { givenUp, isMore };
  }

  async forget(webhookId: string): Promise<boolean> {
    const rows = await this.database.run<Pick<Message, "messageId">>(sql`
      SELECT message_id FROM webhook_messages WHERE webhook_id = ${webhookId} LIMIT ${BATCH}`);
    await this.#forget(rows.map(({ messageId }) => messageId));
    return rows.length === BATCH;
  }

  async orphans(): Promise<string[]> {
    const rows = await this.database.run<Pick<Message, "webhookId">>(sql`
      SELECT DISTINCT webhook_id FROM webhook_messages
      WHERE webhook_id NOT IN (SELECT webhook_id FROM webhooks)`);
    return rows.map(({ webhookId }) => webhookId);
  }

  async clientIsAway(clientId: string, leftAt: number, now: number): Promise<void> {
    await this.database.runDurably(sql`
      INSERT INTO told_conditions (subject, since)
      SELECT 'client/' || client_id, CAST(${now} AS BIGINT) FROM clients
      WHERE client_id = ${clientId} AND connected_at <= ${leftAt} AND revoked_at IS NULL
      ON CONFLICT DO NOTHING`);
  }

  async storageIsLow(at: number, detail: string): Promise<void> {
    await this.database.runDurably(sql`
      INSERT INTO told_conditions (subject, since, detail)
      SELECT 'storage', CAST(${at} AS BIGINT), CAST(${detail} AS TEXT)
      WHERE EXISTS (SELECT 1 FROM webhooks
        WHERE disabled_at IS NULL AND events LIKE '%"storage.low"%')
      ON CONFLICT DO NOTHING`);
  }

  async storageHasRoom(): Promise<void> {
    await this.database.run(sql`DELETE FROM told_conditions WHERE subject = 'storage'`);
  }

  async lowStorage(): Promise<string | null> {
    const [row] = await this.database.run<{ detail: string }>(sql`
      SELECT detail FROM told_conditions WHERE subject = 'storage'`);
    return row?.detail ?? null;
  }

  /**
   * Returns the ids of a webhook's messages that are too old or too many, oldest first. One call returns a
   * limited number of ids.
   * @param status only messages with this status
   * @param maxMessages number of messages that may stay
   * @param before time in ms since 1970; messages about earlier events are too old
   */
  async #excess(
    webhookId: string,
    status: string,
    maxMessages: number,
    before: number,
  ): Promise<string[]> {
    const withStatus = sql`webhook_messages WHERE webhook_id = ${webhookId} AND status = ${status}`;
    const [newestExcess] = await this.database.run<{ number: number }>(sql`
      SELECT number FROM ${withStatus} ORDER BY number DESC LIMIT 1 OFFSET ${maxMessages}`);
    const oldest = await this.database.run<
      Pick<Message, "messageId" | "at"> & { number: number }
    >(sql`
      SELECT number, message_id, at FROM ${withStatus} ORDER BY number LIMIT ${BATCH}`);
    const upTo = Number(newestExcess?.number ?? 0);
    return oldest
      .filter(({ number, at }) => Number(at) < before || Number(number) <= upTo)
      .map(({ messageId }) => messageId);
  }

  async #giveUp(messageIds: string[]): Promise<number> {
    if (messageIds.length === 0) return 0;
    const rows = await this.database.run(sql`
      UPDATE webhook_messages SET status = 'failed'
      WHERE message_id IN (SELECT value FROM ${tableOfIds(messageIds)}) AND status = 'waiting'
      RETURNING message_id`);
    return rows.length;
  }

  async #forget(messageIds: string[]): Promise<void> {
    if (messageIds.length === 0) return;
    const ids = sql`(SELECT value FROM ${tableOfIds(messageIds)})`;
    await this.database.run(sql`DELETE FROM webhook_attempts WHERE message_id IN ${ids}`);
    await this.database.run(sql`DELETE FROM webhook_messages WHERE message_id IN ${ids}`);
  }
}

function toMessage(row: Message): Message {
  return { ...row, at: Number(row.at), attempts: Number(row.attempts) };
}
