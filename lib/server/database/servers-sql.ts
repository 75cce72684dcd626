import type { Active, Downloading, Verifying } from "../download.ts";
import {
  type AskedListing,
  type HeldSession,
  LEASE_MS,
  type NewLease,
  type News,
  type OtherLease,
  type OwnAttempt,
  type ServerRows,
} from "../servers/rows.ts";
import type { SqlDatabase, Wire } from "./database.ts";
import { tableOfIds, nextRevision, settledRevision } from "./engines.ts";
import { isDue } from "./queue-sql.ts";
import type { Waiting } from "./repository.ts";
import { numberOrNull, toDownload, type DownloadRow } from "./rows.ts";
import { insertion, sql } from "./statement.ts";

/** Age in ms at which a request to list a folder is removed, as no server waits for its answer any more. */
const FORGOTTEN_MS = 60_000;

const IS_ACTIVE = sql`status IN ('downloading', 'verifying')`;
const HAS_LEASE = sql`EXISTS (SELECT 1 FROM servers WHERE lease_id = owner)`;

/** Reads and writes the rows of leases and of clients' sessions, for several servers in Postgres. */
export class ServersSql implements ServerRows {
  /** Id of this server's lease; null: no lease has begun yet. */
  #leaseId: string | null = null;

  constructor(
    private readonly database: SqlDatabase,
    private readonly wire: Wire,
  ) {}

  /** Id of the lease under which this server claims downloads; null: no lease has begun yet. */
  get leaseId(): string | null {
    return this.#leaseId;
  }

  async begin({ leaseId, serverId, process, storage }: NewLease): Promise<string | null> {
    const times = { renewedAt: sql`now_ms()`, expiresAt: sql`now_ms() + ${LEASE_MS}` };
    const row = { leaseId, serverId, process, storage, ...times };
    await this.database.run(sql`INSERT INTO servers ${insertion(row)}`);
    // Other servers are searched after the insert, so that of two servers that begin at the same time, at
    // least one sees the other's storage.
    const [other] = await this.database.run<{ storage: string }>(sql`
      SELECT storage FROM servers WHERE storage <> ${storage} AND expires_at >= now_ms() LIMIT 1`);
    if (other) {
      await this.end([leaseId]);
      return other.storage;
    }
    this.#leaseId = leaseId;
    return null;
  }

  async renew(): Promise<boolean> {
    const rows = await this.database.run(sql`
      UPDATE servers SET renewed_at = now_ms(), expires_at = now_ms() + ${LEASE_MS}
      WHERE lease_id = ${this.#leaseId} RETURNING lease_id`);
    return rows.length > 0;
  }

  async end(leaseIds: readonly string[]): Promise<void> {
    await this.database.run(sql`
      DELETE FROM servers WHERE lease_id IN (SELECT value FROM ${tableOfIds(leaseIds)})`);
    await this.#endSessions();
  }

  async endLapsed(): Promise<number> {
    const ended = await this.database.run(sql`
      DELETE FROM servers WHERE expires_at < now_ms() AND lease_id <> ${this.#leaseId}
      RETURNING lease_id`);
    if (ended.length > 0) await this.#endSessions();
    return ended.length;
  }

  async others(): Promise<OtherLease[]> {
    type Row = Omit<OtherLease, "isLapsed"> & { lapsed: number };
    const rows = await this.database.run<Row>(sql`
      SELECT lease_id, process, CASE WHEN expires_at < now_ms() THEN 1 ELSE 0 END AS lapsed
      FROM servers WHERE lease_id <> ${this.#leaseId}`);
    return rows.map(({ lapsed, ...lease }) => ({ ...lease, isLapsed: Number(lapsed) === 1 }));
  }

  async hold({ clientId, sessionId }: HeldSession): Promise<boolean> {
    const rows = await this.database.run(sql`
      INSERT INTO client_sessions (client_id, session_id, lease_id)
      SELECT ${clientId}, ${sessionId}, lease_id FROM servers WHERE lease_id = ${this.#leaseId}
      ON CONFLICT (client_id) DO UPDATE SET
        session_id = excluded.session_id, lease_id = excluded.lease_id
      RETURNING client_id`);
    return rows.length > 0;
  }

  async release({ clientId, sessionId }: HeldSession): Promise<void> {
    await this.database.run(sql`
      DELETE FROM client_sessions WHERE client_id = ${clientId} AND session_id = ${sessionId}`);
  }

  async drop(clientId: string): Promise<void> {
    await this.database.run(sql`DELETE FROM client_sessions WHERE client_id = ${clientId}`);
  }

  held(): Promise<HeldSession[]> {
    return this.database.run<HeldSession>(sql`
      SELECT client_id, session_id FROM client_sessions WHERE lease_id = ${this.#leaseId}`);
  }

  async isHeldElsewhere(clientId: string): Promise<boolean> {
    const rows = await this.database.run(sql`
      SELECT client_id FROM client_sessions AS held
      JOIN servers AS holder ON holder.lease_id = held.lease_id AND expires_at >= now_ms()
      WHERE client_id = ${clientId} AND held.lease_id <> ${this.#leaseId}`);
    return rows.length > 0;
  }

  async isHeldBy(clientId: string, sessionId: string): Promise<boolean> {
    const rows = await this.database.run(sql`
      SELECT client_id FROM client_sessions
      WHERE client_id = ${clientId} AND session_id = ${sessionId}`);
    return rows.length > 0;
  }

  async noteProblem(clientId: string, problem: string): Promise<void> {
    await this.database.run(sql`
      UPDATE client_sessions SET problem = ${problem}, problem_at = now_ms()
      WHERE client_id = ${clientId}`);
  }

  connected(): Promise<HeldSession[]> {
    return this.database.run<HeldSession>(sql`
      SELECT client_id, session_id FROM client_sessions
      JOIN servers ON servers.lease_id = client_sessions.lease_id AND expires_at >= now_ms()`);
  }

  async countConnected(): Promise<number> {
    const [row] = await this.database.run<{ count: number }>(sql`
      SELECT COUNT(*) AS count FROM client_sessions
      JOIN servers ON servers.lease_id = client_sessions.lease_id AND expires_at >= now_ms()`);
    return Number(row?.count ?? 0);
  }

  async recoverable(): Promise<Active[]> {
    const rows = await this.database.run<DownloadRow>(sql`
      SELECT * FROM downloads
      WHERE ${IS_ACTIVE} AND (owner IS NULL OR owner = ${this.#leaseId} OR NOT ${HAS_LEASE})`);
    return rows.map((row) => toDownload(row) as Active);
  }

  async takeOver({ downloadId, revision }: Verifying): Promise<Verifying | null> {
    const [row] = await this.database.run<DownloadRow>(sql`
      UPDATE downloads SET
        owner = ${this.#leaseId}, epoch = epoch + 1, revision = ${nextRevision()}
      WHERE download_id = ${downloadId} AND revision = ${revision} AND status = 'verifying'
      RETURNING *`);
    return row ? (toDownload(row) as Verifying) : null;
  }

  async runningElsewhere(clientId: string): Promise<Downloading[]> {
    const rows = await this.database.run<DownloadRow>(sql`
      SELECT * FROM downloads
      WHERE client_id = ${clientId} AND status = 'downloading'
        AND owner IS DISTINCT FROM ${this.#leaseId}`);
    return rows.map((row) => toDownload(row) as Downloading);
  }

  async ownAttempts(): Promise<OwnAttempt[]> {
    const rows = await this.database.run<OwnAttempt>(sql`
      SELECT download_id, epoch, rate_limit FROM downloads
      WHERE ${IS_ACTIVE} AND owner = ${this.#leaseId}`);
    return rows.map(({ downloadId, epoch, rateLimit }) => ({
      downloadId,
      epoch: Number(epoch),
      rateLimit: numberOrNull(rateLimit),
    }));
  }

  async waitingSince(revision: number, now: number): Promise<{ waiting: Waiting[]; upTo: number }> {
    const [row] = await this.database.run<{ latest: number }>(settledRevision());
    const upTo = Number(row?.latest ?? 0);
    if (upTo === revision) return { waiting: [], upTo };
    const waiting = await this.database.run<Waiting>(sql`
      SELECT DISTINCT client_id, job_id AS line FROM downloads
      WHERE revision > ${revision} AND revision <= ${upTo} AND status = 'queued' AND ${isDue(now)}
        AND client_id IN (
          SELECT client_id FROM client_sessions WHERE lease_id = ${this.#leaseId})`);
    return { waiting, upTo };
  }

  async news(): Promise<News> {
    const fromOwnSessions = sql`FROM client_sessions WHERE lease_id = ${this.#leaseId}`;
    const [row] = await this.database.run<{ held: number; asked: number; revision: number }>(sql`
      SELECT (SELECT COUNT(*) ${fromOwnSessions}) AS held,
        (SELECT COUNT(*) FROM listing_requests
          WHERE answered_by IS NULL AND client_id IN (SELECT client_id ${fromOwnSessions})) AS asked,
        (${settledRevision()}) AS revision`);
    const { held = 0, asked = 0, revision = 0 } = row ?? {};
    return { held: Number(held), isAsked: Number(asked) > 0, revision: Number(revision) };
  }

  async ask({ requestId, clientId, order }: AskedListing): Promise<void> {
    const row = { requestId, clientId, listingOrder: order, askedAt: sql`now_ms()` };
    await this.database.run(sql`INSERT INTO listing_requests ${insertion(row)}`);
    // Old requests of all servers are removed here, as a server that asked may have ended before it removed
    // its own.
    await this.database.run(sql`
      DELETE FROM listing_requests WHERE asked_at < now_ms() - ${FORGOTTEN_MS}`);
  }

  takeAsked(): Promise<AskedListing[]> {
    return this.database.run<AskedListing>(sql`
      UPDATE listing_requests SET answered_by = ${this.#leaseId}
      WHERE answered_by IS NULL AND client_id IN (
        SELECT client_id FROM client_sessions WHERE lease_id = ${this.#leaseId})
      RETURNING request_id, client_id, listing_order AS "order"`);
  }

  async answer(requestId: string, answer: string): Promise<void> {
    await this.database.run(sql`
      UPDATE listing_requests SET answer = ${answer} WHERE request_id = ${requestId}`);
  }

  async answerTo(requestId: string): Promise<string | null> {
    const [row] = await this.database.run<{ answer: string | null }>(sql`
      SELECT answer FROM listing_requests WHERE request_id = ${requestId}`);
    return row?.answer ?? null;
  }

  async forget(requestId: string): Promise<void> {
    await this.database.run(sql`DELETE FROM listing_requests WHERE request_id = ${requestId}`);
  }

  notify(text: string): Promise<void> {
    return this.wire.notify(text);
  }

  listen(onMessage: (text: string) => void, onLost: () => void): Promise<() => Promise<void>> {
    return this.wire.listen(onMessage, onLost);
  }

  async #endSessions(): Promise<void> {
    await this.database.run(sql`
      DELETE FROM client_sessions AS own
      WHERE NOT EXISTS (SELECT 1 FROM servers WHERE lease_id = own.lease_id)`);
  }
}
