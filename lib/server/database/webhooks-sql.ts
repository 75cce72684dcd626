import type { WebhookEvent } from "../../api/webhook-events.ts";
import type { Attempt, DisabledBecause, Webhook, WebhookChanges, WebhookRows } from "../webhook.ts";
import type { SqlDatabase } from "./database.ts";
import { numberOrNull } from "./rows.ts";
import { assignments, insertion, type NewRow, sql } from "./statement.ts";

/** A row of a webhook. Its events are JSON. */
interface WebhookRow extends Omit<Webhook, "events"> {
  events: string;
}

/** A row of an attempt to send a webhook's message. `delivered` is 0 or 1. */
export interface AttemptRow extends Omit<Attempt, "delivered"> {
  delivered: number;
}

/** Reads and writes the rows of webhooks, and of attempts to send their messages. */
export class WebhooksSql implements WebhookRows {
  constructor(private readonly database: SqlDatabase) {}

  async insert({ events, ...same }: Webhook): Promise<boolean> {
    const row: WebhookRow = { ...same, events: JSON.stringify(events) };
    const written = await this.database.runDurably(sql`
      INSERT INTO webhooks ${insertion({ ...row })} ON CONFLICT DO NOTHING RETURNING name`);
    return written.length > 0;
  }

  async get(name: string): Promise<Webhook | null> {
    const [row] = await this.database.run<WebhookRow>(sql`
      SELECT * FROM webhooks WHERE name = ${name}`);
    return row ? toWebhook(row) : null;
  }

  async list(after: string, limit: number): Promise<Webhook[]> {
    const rows = await this.database.run<WebhookRow>(sql`
      SELECT * FROM webhooks WHERE name > ${after} ORDER BY name LIMIT ${limit}`);
    return rows.map(toWebhook);
  }

  async active(): Promise<Webhook[]> {
    const rows = await this.database.run<WebhookRow>(sql`
      SELECT * FROM webhooks WHERE disabled_at IS NULL ORDER BY name`);
    return rows.map(toWebhook);
  }

  async change(name: string, { url, events, disabled }: WebhookChanges): Promise<Webhook | null> {
    const columns: NewRow<Record<string, string | number | null>> = {
      name,
      ...(url !== undefined && { url }),
      ...(events !== undefined && { events: JSON.stringify(events) }),
      ...(disabled !== undefined && {
        disabledAt: disabled && disabled.at,
        disabledBecause: disabled && disabled.because,
      }),
    };
    return this.#update(name, sql`${assignments(columns)}`);
  }

  async disableGone(webhookId: string, url: string, at: number): Promise<boolean> {
    const because: DisabledBecause = "gone";
    const written = await this.database.runDurably(sql`
      UPDATE webhooks SET disabled_at = ${at}, disabled_because = ${because}
      WHERE webhook_id = ${webhookId} AND url = ${url} AND disabled_at IS NULL RETURNING name`);
    return written.length > 0;
  }

  rotate(name: string, secret: string, oldUntil: number): Promise<Webhook | null> {
    return this.#update(
      name,
      sql`old_secret = secret, old_secret_until = ${oldUntil}, secret = ${secret}`,
    );
  }

  async remove(name: string): Promise<Webhook | null> {
    const [row] = await this.database.runDurably<WebhookRow>(sql`
      DELETE FROM webhooks WHERE name = ${name} RETURNING *`);
    return row ? toWebhook(row) : null;
  }

  async attempts(webhookId: string, before: string | undefined, limit: number): Promise<Attempt[]> {
    const rows = await this.database.run<AttemptRow>(sql`
      SELECT * FROM webhook_attempts WHERE webhook_id = ${webhookId}
        ${before === undefined ? sql`` : sql`AND attempt_id < ${before}`}
      ORDER BY attempt_id DESC LIMIT ${limit}`);
    return rows.map(toAttempt);
  }

  async attempt(webhookId: string, attemptId: string): Promise<Attempt | null> {
    const [row] = await this.database.run<AttemptRow>(sql`
      SELECT * FROM webhook_attempts
      WHERE webhook_id = ${webhookId} AND attempt_id = ${attemptId}`);
    return row ? toAttempt(row) : null;
  }

  async #update(name: string, columns: ReturnType<typeof sql>): Promise<Webhook | null> {
    const [row] = await this.database.runDurably<WebhookRow>(sql`
      UPDATE webhooks SET ${columns} WHERE name = ${name} RETURNING *`);
    return row ? toWebhook(row) : null;
  }
}

function toWebhook(row: WebhookRow): Webhook {
  return {
    ...row,
    events: JSON.parse(row.events) as WebhookEvent[],
    oldSecretUntil: numberOrNull(row.oldSecretUntil),
    disabledAt: numberOrNull(row.disabledAt),
    createdAt: Number(row.createdAt),
  };
}

function toAttempt(row: AttemptRow): Attempt {
  return {
    ...row,
    number: Number(row.number),
    at: Number(row.at),
    durationMs: Number(row.durationMs),
    delivered: Number(row.delivered) === 1,
    responseStatus: numberOrNull(row.responseStatus),
    nextAt: numberOrNull(row.nextAt),
  };
}
