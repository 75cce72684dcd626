import type { LabelChanges, Labels } from "../../api/labels.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { Logger } from "../../util/logger.ts";
import { atOnce, type InTurn } from "../../util/fair-turns.ts";
import { type Active, type Download, type Downloading, type Queued } from "../download.ts";
import type { Sites } from "../access/sites.ts";
import { AccessSql } from "./access-sql.ts";
import { SetRowsSql } from "./set-rows-sql.ts";
import { AuditSql } from "./audit-sql.ts";
import { tableOfIds, indexed, nextRevision, settledRevision } from "./engines.ts";
import { LabelsSql } from "./labels-sql.ts";
import { listOf, tableOfSites } from "./list-sql.ts";
import {
  NameTakenError,
  type ActiveLine,
  type Client,
  type ClientFilter,
  type DownloadFilter,
  type EndsFilter,
  type Limits,
  type Line,
  type RegisteredClient,
  type Repository,
  type Totals,
  type Waiting,
} from "./repository.ts";
import {
  numberOrNull,
  toClient,
  toDownload,
  toRow,
  type ClientRow,
  type DownloadRow,
} from "./rows.ts";
import { DeliveriesSql } from "./deliveries-sql.ts";
import { JobsSql } from "./jobs-sql.ts";
import { KeepSql } from "./keep-sql.ts";
import { SchedulesSql } from "./schedules-sql.ts";
import { ServersSql } from "./servers-sql.ts";
import { activeLines, claimOf, dueSince, nextDueAfter, waitingFor } from "./queue-sql.ts";
import { DatabaseFull, type SqlDatabase, UniqueViolation } from "./database.ts";
import { openDatabase } from "./open.ts";
import { changeOf, mayBeUndone } from "./change-sql.ts";
import { CLIENTS, clientsOf, registrationOf, lastSeenUpdate } from "./clients-sql.ts";
import { insertion, sql } from "./statement.ts";
import { TotalsSql } from "./totals-sql.ts";
import { OutboxSql } from "./outbox-sql.ts";
import { WebhooksSql } from "./webhooks-sql.ts";

export interface SqlRepositoryOptions {
  busyTimeoutMs?: number;
  logger?: Logger;
  /** Runs one of the server's own queries, taking turns with other callers. */
  inTurn?: InTurn;
}

/**
 * Opens a database for access to its rows. A SQLite file that does not exist is created.
 * @throws see {@link openDatabase}
 */
export async function openSqlRepository(
  databaseUrl: string,
  { inTurn = atOnce, ...options }: SqlRepositoryOptions = {},
): Promise<Repository> {
  return new SqlRepository(await openDatabase(databaseUrl, options), inTurn);
}

/** Limit on the clients or ids in one statement. Such a statement takes about a millisecond. */
const MAX_IN_STATEMENT = 200;

/** Condition for ended downloads. It must equal the condition of the index `downloads_ended`. */
const HAS_ENDED = sql`status IN ('completed', 'failed', 'cancelled')`;

class SqlRepository implements Repository {
  readonly sets: SetRowsSql;
  readonly access: AccessSql;
  readonly jobs: JobsSql;
  readonly keep: KeepSql;
  readonly webhooks: WebhooksSql;
  readonly outbox: OutboxSql;
  readonly schedules: SchedulesSql;
  readonly deliveries: DeliveriesSql;
  readonly audit: AuditSql;
  readonly servers: ServersSql | null;
  readonly #labels: LabelsSql;

  constructor(
    private readonly database: SqlDatabase,
    private readonly inTurn: InTurn,
  ) {
    this.sets = new SetRowsSql(database);
    this.access = new AccessSql(database);
    this.jobs = new JobsSql(database);
    this.keep = new KeepSql(database);
    this.webhooks = new WebhooksSql(database);
    this.outbox = new OutboxSql(database);
    this.schedules = new SchedulesSql(database);
    this.deliveries = new DeliveriesSql(database);
    this.audit = new AuditSql(database, inTurn);
    this.#labels = new LabelsSql(database);
    this.servers = database.wire && new ServersSql(database, database.wire);
  }

  async insertDownload(download: Queued): Promise<Queued> {
    try {
      const [row] = await this.database.runDurably<DownloadRow>(sql`
        INSERT INTO downloads ${insertion(this.#rowWithNewRevision(download))} RETURNING *`);
      if (!row) throw new Error("the database gave no row for what was inserted");
      return toDownload(row) as Queued;
    } catch (error) {
      if (!(error instanceof DatabaseFull)) throw error;
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
    return (await this.database.run<DownloadRow>(listOf(filter))).map(toDownload);
  }

  totalsSince(since: number, sites: Sites | null = null, inTurn = this.inTurn): Promise<Totals> {
    return new TotalsSql(this.database, inTurn).since(since, sites);
  }

  async activeDownloads(): Promise<Active[]> {
    const rows = await this.database.run<DownloadRow>(sql`
      SELECT * FROM downloads WHERE status IN ('downloading', 'verifying')`);
    return rows.map((row) => toDownload(row) as Active);
  }

  async unendedAmong(downloadIds: string[]): Promise<Set<string>> {
    const unended = new Set<string>();
    for (const batch of slices(downloadIds, MAX_IN_STATEMENT)) {
      const rows = await this.database.run<Pick<DownloadRow, "downloadId">>(sql`
        SELECT download_id FROM downloads
        WHERE download_id IN (SELECT value FROM ${tableOfIds(batch)}) AND NOT ${HAS_ENDED}`);
      for (const { downloadId } of rows) unended.add(downloadId);
    }
    return unended;
  }

  async countActive(): Promise<Map<string, number>> {
    const rows = await this.database.run<{ clientId: string; active: number }>(sql`
      SELECT client_id, COUNT(*) AS active FROM downloads
      WHERE status IN ('downloading', 'verifying')
      GROUP BY client_id`);
    return new Map(rows.map((row) => [row.clientId, Number(row.active)]));
  }

  async latestRevision(): Promise<number> {
    const [row] = await this.database.run<{ latest: number }>(settledRevision());
    return Number(row?.latest ?? 0);
  }

  async changedSince(revision: number, limit: number): Promise<Download[]> {
    const upTo = await this.latestRevision();
    if (upTo === revision) return [];
    const rows = await this.database.run<DownloadRow>(sql`
      SELECT * FROM downloads WHERE revision > ${revision} AND revision <= ${upTo}
      ORDER BY revision LIMIT ${limit}`);
    return rows.map(toDownload);
  }

  async beforeLatestEnds(count: number): Promise<number> {
    const [row] = await this.database.run<{ revision: number }>(sql`
      SELECT revision FROM ${indexed("downloads", "downloads_ended")} WHERE ${HAS_ENDED}
      ORDER BY revision DESC LIMIT 1 OFFSET ${count}`);
    return Number(row?.revision ?? 0);
  }

  async endsBetween({ after, upTo, sites, limit }: EndsFilter): Promise<Download[]> {
    const rows = await this.database.run<DownloadRow>(sql`
      SELECT * FROM ${indexed("downloads", "downloads_ended")}
      WHERE ${HAS_ENDED} AND revision > ${after} AND revision <= ${upTo}
        ${sites ? sql`AND client_id IN (SELECT value FROM ${tableOfSites(sites)})` : sql``}
      ORDER BY revision LIMIT ${limit}`);
    return rows.map(toDownload);
  }

  async replaceDownload<T extends Download>(next: T, before?: Download): Promise<T | null> {
    try {
      const [row] = await this.database.run<DownloadRow>(changeOf(next, before));
      if (row && !mayBeUndone(next, before)) await this.database.flush();
      // The cast is safe, as the row has the status that was just written.
      return row ? (toDownload(row) as T) : null;
    } catch (error) {
      if (!(error instanceof UniqueViolation)) throw error;
      const message = `another download holds the name "${toRow(next).savedPath}"`;
      throw new NameTakenError(message, { cause: error });
    }
  }

  async claimDownload(
    clientId: string,
    line: Line,
    limits: Limits,
    now: number,
  ): Promise<Downloading | null> {
    const owner = this.servers?.leaseId ?? null;
    const claim = claimOf({ clientId, line }, limits, now, owner);
    const [row] = await this.database.run<DownloadRow>(claim);
    return row ? (toDownload(row) as Downloading) : null;
  }

  waitingFor(clientId: string, now: number): Promise<Waiting[]> {
    return this.database.run<Waiting>(waitingFor(clientId, now));
  }

  dueSince(after: number, now: number): Promise<Waiting[]> {
    return this.database.run<Waiting>(dueSince(after, now));
  }

  async countActiveLines(): Promise<ActiveLine[]> {
    const rows = await this.database.run<ActiveLine>(activeLines(this.servers?.leaseId ?? null));
    return rows.map((row) => ({ ...row, active: Number(row.active), own: Number(row.own) }));
  }

  async nextDueAt(now: number): Promise<number | null> {
    const rows = await this.database.run<{ due: number | null }>(nextDueAfter(now));
    const times = rows.flatMap(({ due }) => numberOrNull(due) ?? []);
    return times.length > 0 ? Math.min(...times) : null;
  }

  async getClient(clientId: string): Promise<Client | null> {
    const [row] = await this.database.run<ClientRow>(sql`
      ${CLIENTS} WHERE clients.client_id = ${clientId}`);
    return row ? toClient(row, await this.labelsOf(clientId)) : null;
  }

  async listClients(filter: ClientFilter): Promise<Client[]> {
    const rows = await this.database.run<ClientRow>(clientsOf(filter));
    const labels = await this.#labels.forClients(rows.map(({ clientId }) => clientId));
    return rows.map((row) => toClient(row, labels.get(row.clientId)));
  }

  async labelsOf(clientId: string): Promise<Labels> {
    return (await this.#labels.forClients([clientId])).get(clientId) ?? {};
  }

  changeLabels(clientId: string, changes: LabelChanges): Promise<void> {
    return this.#labels.change(clientId, changes);
  }

  setTimeZone(clientId: string, timeZone: string | null): Promise<void> {
    return this.#labels.setTimeZone(clientId, timeZone);
  }

  async registerClient(
    client: RegisteredClient,
    replaces: RegisteredClient | null,
  ): Promise<boolean> {
    const written = await this.database.runDurably(registrationOf(client, replaces));
    return written.length > 0;
  }

  async revokeClient(clientId: string, at: number): Promise<Client | null> {
    await this.database.runDurably(sql`
      UPDATE clients SET revoked_at = COALESCE(revoked_at, ${at}) WHERE client_id = ${clientId}`);
    return this.getClient(clientId);
  }

  async clientsSeen(lastSeen: ReadonlyMap<string, number>): Promise<void> {
    for (const batch of slices([...lastSeen], MAX_IN_STATEMENT)) {
      await this.inTurn(() => this.database.run(lastSeenUpdate(batch)));
    }
  }

  get isAway(): boolean {
    return this.database.isAway;
  }

  isThere(): Promise<boolean> {
    return this.database.isThere();
  }

  close(): Promise<void> {
    return this.database.close();
  }

  /** Returns the row of a download with a new revision. */
  #rowWithNewRevision(download: Download) {
    return { ...toRow(download), revision: nextRevision() };
  }
}

function slices<T>(items: readonly T[], length: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / length) }, (_, n) =>
    items.slice(n * length, (n + 1) * length),
  );
}
