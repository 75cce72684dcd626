import { FdsError } from "../../protocol/errors.ts";
import {
  type Active,
  type Download,
  type Downloading,
  LONGEST_WAIT_MS,
  type Queued,
  safeOffsetOf,
} from "../download.ts";
import { AccessSql } from "./access-sql.ts";
import { SetRowsSql } from "./set-rows-sql.ts";
import { AuditSql } from "./audit-sql.ts";
import {
  NameTakenError,
  type Client,
  type DownloadFilter,
  type Limits,
  type Repository,
  type Totals,
} from "./repository.ts";
import {
  numberOrNull,
  toClient,
  toClientRow,
  toDownload,
  toRow,
  type ClientRow,
  type DownloadRow,
} from "./rows.ts";
import type { SqlDatabase } from "./database.ts";
import { isFull, isUniqueViolation, openSqlite } from "./sqlite.ts";
import { assignments, insertion, list, sql, type Statement } from "./statement.ts";

/**
 * Opens the rows of a database, making it if it is not there.
 * @throws as {@link openSqlite}
 */
export async function openSqlRepository(
  databaseUrl: string,
  busyTimeoutMs?: number,
): Promise<Repository> {
  return new SqlRepository(await openSqlite(databaseUrl, busyTimeoutMs));
}

const NO_DOWNLOADS: Record<Download["status"], number> = {
  queued: 0,
  downloading: 0,
  verifying: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
};

/** A statement has a most of parameters, and is put together piece by piece. */
const CLIENTS_A_STATEMENT = 100;

/** A power cut costs at most so many bytes sent again, beside what was not yet safe. */
const DURABLE_EACH = 64 * 1024 * 1024;

/**
 * Whether a power cut may undo a change: an attempt that its row knows nothing of is made again. Of
 * its checkpoints one now and then has to stay, or a large file would begin anew; and one that says
 * less than before has to, as the part will soon hold no more.
 */
function mayBeTakenBack(next: Download, before: Download | undefined): boolean {
  if (next.status !== "downloading" || !before) return false;
  const [now, then] = [safeOffsetOf(next), safeOffsetOf(before)];
  return now >= then && Math.floor(now / DURABLE_EACH) === Math.floor(then / DURABLE_EACH);
}

class SqlRepository implements Repository {
  readonly sets: SetRowsSql;
  readonly access: AccessSql;
  readonly audit: AuditSql;

  constructor(private readonly database: SqlDatabase) {
    this.sets = new SetRowsSql(database);
    this.access = new AccessSql(database);
    this.audit = new AuditSql(database);
  }

  async insertDownload(download: Queued): Promise<Queued> {
    try {
      const [row] = await this.database.keep<DownloadRow>(sql`
        INSERT INTO downloads ${insertion(this.#asChange(download))} RETURNING *`);
      if (!row) throw new Error("the database gave no row for what was inserted");
      return toDownload(row) as Queued;
    } catch (error) {
      if (!isFull(error)) throw error;
      const message = "The disk of the server's database is full";
      throw new FdsError("storage_full", message, { cause: error });
    }
  }

  async getDownload(downloadId: string): Promise<Download | null> {
    const [row] = await this.database.run<DownloadRow>(sql`
      SELECT * FROM downloads WHERE download_id = ${downloadId}`);
    return row ? toDownload(row) : null;
  }

  async listDownloads(filter: DownloadFilter): Promise<Download[]> {
    const { status, clientId, before, limit } = filter;
    const rows = await this.database.run<DownloadRow>(sql`
      SELECT * FROM downloads
      WHERE TRUE
        ${status === undefined ? sql`` : sql`AND status = ${status}`}
        ${clientId === undefined ? sql`` : sql`AND client_id = ${clientId}`}
        ${this.#amongSites(filter.sites)}
        ${before === undefined ? sql`` : sql`AND download_id < ${before}`}
      ORDER BY download_id DESC
      LIMIT ${limit}`);
    return rows.map(toDownload);
  }

  async totalsSince(since: number, sites?: ReadonlySet<string> | null): Promise<Totals> {
    // An id begins with the time of its making, so the table's own key finds the rows.
    const time = since.toString(16).padStart(12, "0");
    const firstId = `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`;
    const rows = await this.database.run<{
      status: Download["status"];
      downloads: number;
      bytes: number;
    }>(sql`
      SELECT status, COUNT(*) AS downloads, SUM(safe_offset) AS bytes FROM downloads
      WHERE download_id >= ${firstId} ${this.#amongSites(sites)}
      GROUP BY status`);
    const totals: Totals = { downloads: { ...NO_DOWNLOADS }, bytes: 0 };
    for (const { status, downloads, bytes } of rows) {
      totals.downloads[status] = Number(downloads);
      totals.bytes += Number(bytes);
    }
    return totals;
  }

  async activeDownloads(): Promise<Active[]> {
    const rows = await this.database.run<DownloadRow>(sql`
      SELECT * FROM downloads WHERE status IN ('downloading', 'verifying')`);
    return rows.map((row) => toDownload(row) as Active);
  }

  async unendedAmong(downloadIds: string[]): Promise<Set<string>> {
    // All of them, as a statement takes only so many parameters.
    const rows = await this.database.run<Pick<DownloadRow, "downloadId">>(sql`
      SELECT download_id FROM downloads WHERE status IN ('queued', 'downloading', 'verifying')`);
    return new Set(rows.map((row) => row.downloadId)).intersection(new Set(downloadIds));
  }

  async countActive(): Promise<Map<string, number>> {
    const rows = await this.database.run<{ clientId: string; active: number }>(sql`
      SELECT client_id, COUNT(*) AS active FROM downloads
      WHERE status IN ('downloading', 'verifying')
      GROUP BY client_id`);
    return new Map(rows.map((row) => [row.clientId, Number(row.active)]));
  }

  async countByStatus(): Promise<Record<Download["status"], number>> {
    const counts = { ...NO_DOWNLOADS };
    const rows = await this.database.run<{ status: Download["status"]; downloads: number }>(sql`
      SELECT status, COUNT(*) AS downloads FROM downloads GROUP BY status`);
    for (const { status, downloads } of rows) counts[status] = Number(downloads);
    return counts;
  }

  async latestRevision(): Promise<number> {
    const [row] = await this.database.run<{ latest: number | null }>(sql`
      SELECT MAX(revision) AS latest FROM downloads`);
    return Number(row?.latest ?? 0);
  }

  async changedSince(revision: number, limit: number): Promise<Download[]> {
    const rows = await this.database.run<DownloadRow>(sql`
      SELECT * FROM downloads WHERE revision > ${revision} ORDER BY revision LIMIT ${limit}`);
    return rows.map(toDownload);
  }

  async replaceDownload<T extends Download>(next: T, before?: Download): Promise<T | null> {
    const { downloadId, revision, ...wanted } = toRow(next);
    const known: Partial<DownloadRow> = before ? toRow(before) : {};
    const isOther = ([name, value]: [string, unknown]) =>
      known[name as keyof DownloadRow] !== value;
    // Each column takes time to prepare, and one that is in an index changes the index too.
    const columns = {
      ...Object.fromEntries(Object.entries(wanted).filter(isOther)),
      revision: this.#nextRevision(),
    };
    try {
      const [row] = await this.database.run<DownloadRow>(sql`
        UPDATE downloads SET ${assignments(columns)}
        WHERE download_id = ${downloadId} AND revision = ${revision}
        RETURNING *`);
      if (row && !mayBeTakenBack(next, before)) await this.database.flush();
      // The row has the status that was just written, and with it the shape of `next`.
      return row ? (toDownload(row) as T) : null;
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      const message = `another download holds the name "${wanted.savedPath}"`;
      throw new NameTakenError(message, { cause: error });
    }
  }

  async claimDownload(clientId: string, limits: Limits, now: number): Promise<Downloading | null> {
    // The plus keeps SQLite off the index by due time, where it would sort the whole queue.
    const [row] = await this.database.run<DownloadRow>(sql`
      UPDATE downloads SET
        status = 'downloading', started_at = COALESCE(started_at, ${now}),
        attempts = attempts + 1, epoch = epoch + 1, revision = ${this.#nextRevision()},
        not_before = NULL, problem_code = NULL, problem_message = NULL
      WHERE status = 'queued'
        AND download_id = (
          SELECT download_id FROM downloads
          WHERE client_id = ${clientId} AND status = 'queued'
            AND (+not_before <= ${now} OR +not_before > ${now + LONGEST_WAIT_MS})
          ORDER BY download_id
          LIMIT 1)
        AND ${limits.total} > (
          SELECT COUNT(*) FROM downloads WHERE status IN ('downloading', 'verifying'))
        AND ${limits.perClient} > (
          SELECT COUNT(*) FROM downloads
          WHERE status IN ('downloading', 'verifying') AND client_id = ${clientId})
      RETURNING *`);
    return row ? (toDownload(row) as Downloading) : null;
  }

  async clientsWithDueDownloads(now: number): Promise<string[]> {
    // From one client to the next by the index, which SQLite has to be told: left to itself it takes
    // the one by status, and reads the whole queue.
    const waiting = sql`downloads INDEXED BY downloads_waiting`;
    const rows = await this.database.run<Pick<DownloadRow, "clientId">>(sql`
      WITH RECURSIVE waiting (client_id) AS (
        SELECT MIN(client_id) FROM ${waiting} WHERE status = 'queued'
        UNION ALL
        SELECT (SELECT MIN(client_id) FROM ${waiting}
                WHERE status = 'queued' AND client_id > waiting.client_id)
        FROM waiting WHERE client_id IS NOT NULL
      ), due AS (
        SELECT client_id,
          (SELECT MIN(not_before) FROM ${waiting}
           WHERE status = 'queued' AND client_id = waiting.client_id) AS earliest,
          (SELECT MAX(not_before) FROM ${waiting}
           WHERE status = 'queued' AND client_id = waiting.client_id) AS latest
        FROM waiting WHERE client_id IS NOT NULL
      )
      SELECT client_id FROM due
      WHERE earliest <= ${now} OR latest > ${now + LONGEST_WAIT_MS}
      ORDER BY earliest, client_id`);
    return rows.map((row) => row.clientId);
  }

  async nextDueAt(now: number): Promise<number | null> {
    // As above: the first entry of this index behind the time, and not the whole queue.
    const [row] = await this.database.run<{ due: number | null }>(sql`
      SELECT MIN(not_before) AS due FROM downloads INDEXED BY downloads_by_due_time
      WHERE status = 'queued' AND not_before > ${now}`);
    return numberOrNull(row?.due ?? null);
  }

  async getClient(clientId: string): Promise<Client | null> {
    const [row] = await this.database.run<ClientRow>(
      sql`SELECT * FROM clients WHERE client_id = ${clientId}`,
    );
    return row ? toClient(row) : null;
  }

  async listClients(): Promise<Client[]> {
    const rows = await this.database.run<ClientRow>(sql`SELECT * FROM clients ORDER BY client_id`);
    return rows.map(toClient);
  }

  async registerClient(client: Client, replaces: Client | null): Promise<boolean> {
    const row = toClientRow(client);
    const written = await this.database.keep(sql`
      INSERT INTO clients ${insertion(row)}
      ON CONFLICT (client_id) DO UPDATE SET ${assignments(row)}
      WHERE clients.key_hash = ${replaces?.keyHash ?? null}
        AND clients.revoked_at IS NOT DISTINCT FROM ${replaces?.revokedAt ?? null}
      RETURNING client_id`);
    return written.length > 0;
  }

  async revokeClient(clientId: string, at: number): Promise<Client | null> {
    const [row] = await this.database.keep<ClientRow>(sql`
      UPDATE clients SET revoked_at = COALESCE(revoked_at, ${at})
      WHERE client_id = ${clientId} RETURNING *`);
    return row ? toClient(row) : null;
  }

  async clientsSeen(lastSeen: ReadonlyMap<string, number>): Promise<void> {
    const left = [...lastSeen];
    while (left.length > 0) {
      const rows = left
        .splice(0, CLIENTS_A_STATEMENT)
        .map(([clientId, at]) => sql`(${clientId}, CAST(${at} AS BIGINT))`);
      await this.database.run(sql`
        UPDATE clients SET last_seen_at = seen.column2 FROM (VALUES ${list(rows)}) AS seen
        WHERE client_id = seen.column1 AND last_seen_at < seen.column2`);
    }
  }

  close(): Promise<void> {
    return this.database.close();
  }

  #amongSites(sites: ReadonlySet<string> | null | undefined): Statement {
    return sites ? sql`AND client_id IN (${list([...sites])})` : sql``;
  }

  /** The row that records a change of a download. */
  #asChange(download: Download) {
    return { ...toRow(download), revision: this.#nextRevision() };
  }

  /** Part of the statement that makes the change: two of them never get the same number. */
  #nextRevision(): Statement {
    return sql`(SELECT COALESCE(MAX(revision), 0) + 1 FROM downloads)`;
  }
}
