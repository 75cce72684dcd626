import { SQL } from "bun";
import { mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { FdsError } from "../../protocol/errors.ts";
import { UsageError } from "../../util/flags.ts";
import {
  type Download,
  type Downloading,
  LONGEST_WAIT_MS,
  type Queued,
  safeOffsetOf,
} from "../download.ts";
import { AccessSql } from "./access-sql.ts";
import { AuditSql } from "./audit-sql.ts";
import { migrate } from "./migrations.ts";
import {
  NameTakenError,
  type Client,
  type DownloadFilter,
  type Limits,
  type Repository,
  type Totals,
} from "./repository.ts";
import { numberOrNull, toClient, toDownload, toRow, type DownloadRow } from "./rows.ts";

/**
 * Opens the database, making it if it is not there, and brings it to this program's version.
 * @param databaseUrl `sqlite:///absolute/path.db` or `sqlite://./relative/path.db`
 * @param busyTimeoutMs how long a statement, and the event loop with it, waits while another
 *   program writes
 * @throws UsageError when it is no such URL
 * @throws Error when the database cannot be used as it is: damaged, locked by another program,
 *   made by a newer one; it is left as it was
 */
export async function openSqlRepository(
  databaseUrl: string,
  busyTimeoutMs = 5_000,
): Promise<Repository> {
  const path = pathOf(databaseUrl);
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // SQLite gives the files beside it the mode of this one.
    await (await open(path, "a", 0o600)).close();
    const connect = () => new SQL({ adapter: "sqlite", filename: path, transform: SQL.camel });
    const [sql, relaxed] = [connect(), connect()];
    try {
      await prepare(sql, busyTimeoutMs);
      await relaxed`PRAGMA busy_timeout = ${relaxed.unsafe(String(busyTimeoutMs))}`;
      await relaxed`PRAGMA synchronous = NORMAL`;
    } catch (error) {
      await Promise.all([sql.close(), relaxed.close()]);
      throw error;
    }
    return new SqlRepository(sql, relaxed);
  } catch (error) {
    throw new Error(`cannot open the database "${path}": ${reasonOf(error)}`, { cause: error });
  }
}

function pathOf(databaseUrl: string): string {
  // Bun would cut the path at a "?", and rows in memory would not outlive the program.
  const [, path] = /^sqlite:\/\/(?!:memory:$)([^?]+)$/.exec(databaseUrl) ?? [];
  if (path !== undefined) return resolve(path);
  // Of another database only the scheme: what follows it often holds a password.
  const shown = databaseUrl.startsWith("sqlite:")
    ? databaseUrl
    : databaseUrl.replace(/:.*/s, "://…");
  throw new UsageError(
    `DATABASE_URL is "${shown}", expected "sqlite://PATH", the path of a file and without a "?"`,
  );
}

async function prepare(sql: SQL, busyTimeoutMs: number): Promise<void> {
  await sql`PRAGMA busy_timeout = ${sql.unsafe(String(busyTimeoutMs))}`;
  // Before the first write, so that a damaged file is left to whoever repairs it.
  const [check] = await sql<{ quickCheck: string }[]>`PRAGMA quick_check(1)`;
  if (check?.quickCheck !== "ok") throw new Error("it is damaged", { cause: check });
  await sql`PRAGMA journal_mode = WAL`;
  // What a commit wrote outlives a power cut; WAL's default would lose the last ones.
  await sql`PRAGMA synchronous = FULL`;
  await migrate(sql);
  // Numbers that a power cut took back may be known to readers of events: never give them again.
  await sql`
    UPDATE downloads SET revision = revision + ${LEAP}
    WHERE revision = (SELECT MAX(revision) FROM downloads)`;
}

/** More changes than can be lost, as SQLite flushes its log each 1,000 pages. */
const LEAP = 1_000_000;

function reasonOf(error: unknown): string {
  const code = error instanceof SQL.SQLiteError ? error.code : "";
  if (code === "SQLITE_NOTADB") return "it is not a database";
  if (code.startsWith("SQLITE_CORRUPT")) return "it is damaged";
  if (code.startsWith("SQLITE_BUSY")) return "it is locked by another program";
  return error instanceof Error ? error.message : String(error);
}

function isFull(error: unknown): boolean {
  return error instanceof SQL.SQLiteError && error.code === "SQLITE_FULL";
}

function isUniqueViolation(error: unknown): boolean {
  return error instanceof SQL.SQLiteError && error.code === "SQLITE_CONSTRAINT_UNIQUE";
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
  readonly access: AccessSql;
  readonly audit: AuditSql;

  /**
   * @param sql what it wrote outlives a power cut
   * @param relaxed a second connection, for changes that a power cut may take back: it flushes
   *   nothing by itself, so that they cost no wait for the disk. They reach it with the next
   *   change that does wait.
   */
  constructor(
    private readonly sql: SQL,
    private readonly relaxed: SQL,
  ) {
    this.access = new AccessSql(sql);
    this.audit = new AuditSql(sql);
  }

  async insertDownload(download: Queued): Promise<Queued> {
    try {
      const [row] = await this.sql<[DownloadRow]>`
        INSERT INTO downloads ${this.sql(this.#asChange(download))} RETURNING *`;
      return toDownload(row) as Queued;
    } catch (error) {
      if (!isFull(error)) throw error;
      const message = "The disk of the server's database is full";
      throw new FdsError("storage_full", message, { cause: error });
    }
  }

  async getDownload(downloadId: string): Promise<Download | null> {
    const [row] = await this.sql<DownloadRow[]>`
      SELECT * FROM downloads WHERE download_id = ${downloadId}`;
    return row ? toDownload(row) : null;
  }

  async listDownloads(filter: DownloadFilter): Promise<Download[]> {
    const { sql } = this;
    const { status, clientId, before, limit } = filter;
    const rows = await sql<DownloadRow[]>`
      SELECT * FROM downloads
      WHERE TRUE
        ${status === undefined ? sql`` : sql`AND status = ${status}`}
        ${clientId === undefined ? sql`` : sql`AND client_id = ${clientId}`}
        ${this.#amongSites(filter.sites)}
        ${before === undefined ? sql`` : sql`AND download_id < ${before}`}
      ORDER BY download_id DESC
      LIMIT ${limit}`;
    return rows.map(toDownload);
  }

  async totalsSince(since: number, sites?: ReadonlySet<string> | null): Promise<Totals> {
    // An id begins with the time of its making, so the table's own key finds the rows.
    const time = since.toString(16).padStart(12, "0");
    const firstId = `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`;
    const rows = await this.sql<{ status: Download["status"]; downloads: number; bytes: number }[]>`
      SELECT status, COUNT(*) AS downloads, SUM(safe_offset) AS bytes FROM downloads
      WHERE download_id >= ${firstId} ${this.#amongSites(sites)}
      GROUP BY status`;
    const totals: Totals = { downloads: { ...NO_DOWNLOADS }, bytes: 0 };
    for (const { status, downloads, bytes } of rows) {
      totals.downloads[status] = Number(downloads);
      totals.bytes += Number(bytes);
    }
    return totals;
  }

  async activeDownloads(): Promise<Download[]> {
    const rows = await this.sql<DownloadRow[]>`
      SELECT * FROM downloads WHERE status IN ('downloading', 'verifying')`;
    return rows.map(toDownload);
  }

  async unendedAmong(downloadIds: string[]): Promise<Set<string>> {
    // All of them, as a statement takes only so many parameters.
    const rows = await this.sql<Pick<DownloadRow, "downloadId">[]>`
      SELECT download_id FROM downloads WHERE status IN ('queued', 'downloading', 'verifying')`;
    return new Set(rows.map((row) => row.downloadId)).intersection(new Set(downloadIds));
  }

  async countActive(): Promise<Map<string, number>> {
    const rows = await this.sql<{ clientId: string; active: number }[]>`
      SELECT client_id, COUNT(*) AS active FROM downloads
      WHERE status IN ('downloading', 'verifying')
      GROUP BY client_id`;
    return new Map(rows.map((row) => [row.clientId, Number(row.active)]));
  }

  async countByStatus(): Promise<Record<Download["status"], number>> {
    const counts = { ...NO_DOWNLOADS };
    const rows = await this.sql<{ status: Download["status"]; downloads: number }[]>`
      SELECT status, COUNT(*) AS downloads FROM downloads GROUP BY status`;
    for (const { status, downloads } of rows) counts[status] = Number(downloads);
    return counts;
  }

  async latestRevision(): Promise<number> {
    const [row] = await this.sql<{ latest: number | null }[]>`
      SELECT MAX(revision) AS latest FROM downloads`;
    return Number(row?.latest ?? 0);
  }

  async changedSince(revision: number, limit: number): Promise<Download[]> {
    const rows = await this.sql<DownloadRow[]>`
      SELECT * FROM downloads WHERE revision > ${revision} ORDER BY revision LIMIT ${limit}`;
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
    const sql = mayBeTakenBack(next, before) ? this.relaxed : this.sql;
    try {
      const [row] = await sql<DownloadRow[]>`
        UPDATE downloads SET ${sql(columns)}
        WHERE download_id = ${downloadId} AND revision = ${revision}
        RETURNING *`;
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
    const [row] = await this.relaxed<DownloadRow[]>`
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
      RETURNING *`;
    return row ? (toDownload(row) as Downloading) : null;
  }

  async clientsWithDueDownloads(now: number): Promise<string[]> {
    // From one client to the next by the index: to group the rows would read the whole queue.
    const rows = await this.sql<Pick<DownloadRow, "clientId">[]>`
      WITH RECURSIVE waiting (client_id) AS (
        SELECT MIN(client_id) FROM downloads WHERE status = 'queued'
        UNION ALL
        SELECT (SELECT MIN(client_id) FROM downloads
                WHERE status = 'queued' AND client_id > waiting.client_id)
        FROM waiting WHERE client_id IS NOT NULL
      ), due AS (
        SELECT client_id,
          (SELECT MIN(not_before) FROM downloads
           WHERE status = 'queued' AND client_id = waiting.client_id) AS earliest,
          (SELECT MAX(not_before) FROM downloads
           WHERE status = 'queued' AND client_id = waiting.client_id) AS latest
        FROM waiting WHERE client_id IS NOT NULL
      )
      SELECT client_id FROM due
      WHERE earliest <= ${now} OR latest > ${now + LONGEST_WAIT_MS}
      ORDER BY earliest, client_id`;
    return rows.map((row) => row.clientId);
  }

  async nextDueAt(now: number): Promise<number | null> {
    const [row] = await this.sql<{ due: number | null }[]>`
      SELECT MIN(not_before) AS due FROM downloads
      WHERE status = 'queued' AND not_before > ${now}`;
    return numberOrNull(row?.due ?? null);
  }

  async getClient(clientId: string): Promise<Client | null> {
    const [row] = await this.sql<Client[]>`SELECT * FROM clients WHERE client_id = ${clientId}`;
    return row ? toClient(row) : null;
  }

  async listClients(): Promise<Client[]> {
    const rows = await this.sql<Client[]>`SELECT * FROM clients ORDER BY client_id`;
    return rows.map(toClient);
  }

  async registerClient(client: Client, replaces: Client | null): Promise<boolean> {
    const written = await this.sql`
      INSERT INTO clients ${this.sql(client)}
      ON CONFLICT (client_id) DO UPDATE SET ${this.sql(client)}
      WHERE clients.key_hash = ${replaces?.keyHash ?? null}
        AND clients.revoked_at IS NOT DISTINCT FROM ${replaces?.revokedAt ?? null}
      RETURNING client_id`;
    return written.length > 0;
  }

  async revokeClient(clientId: string, at: number): Promise<Client | null> {
    const [row] = await this.sql<Client[]>`
      UPDATE clients SET revoked_at = COALESCE(revoked_at, ${at})
      WHERE client_id = ${clientId} RETURNING *`;
    return row ? toClient(row) : null;
  }

  async clientsSeen(lastSeen: ReadonlyMap<string, number>): Promise<void> {
    const { sql } = this;
    const left = [...lastSeen];
    while (left.length > 0) {
      const rows = left
        .splice(0, CLIENTS_A_STATEMENT)
        .map(([clientId, at]) => sql`(${clientId}, CAST(${at} AS BIGINT))`)
        .reduce((list, row) => sql`${list}, ${row}`);
      await sql`
        UPDATE clients SET last_seen_at = seen.column2 FROM (VALUES ${rows}) AS seen
        WHERE client_id = seen.column1 AND last_seen_at < seen.column2`;
    }
  }

  async close(): Promise<void> {
    await this.relaxed.close();
    await this.sql.close();
  }

  #amongSites(sites: ReadonlySet<string> | null | undefined) {
    return sites ? this.sql`AND client_id IN ${this.sql([...sites])}` : this.sql``;
  }

  /** The row that records a change of a download. */
  #asChange(download: Download) {
    return { ...toRow(download), revision: this.#nextRevision() };
  }

  /** Part of the statement that makes the change: two of them never get the same number. */
  #nextRevision() {
    return this.sql`(SELECT COALESCE(MAX(revision), 0) + 1 FROM downloads)`;
  }
}
