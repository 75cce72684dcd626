import type { InTurn } from "../../util/fair-turns.ts";
import type { Sites } from "../access/sites.ts";
import {
  type Asked,
  type Cell,
  type Delivery,
  type DeliveryChange,
  type DeliveryCounts,
  type DeliveryFilter,
  type DeliveryKey,
  type DeliveryRows,
  type DeliveryStatus,
  type TimeBounds,
  type TimeOf,
  DELIVERY_STATUSES,
} from "../schedule.ts";
import type { SqlDatabase } from "./database.ts";
import { tableOfArrays, tableOfIds, indexed } from "./engines.ts";
import { tableOfSites } from "./list-sql.ts";
import { type AskedRow, toAsked, toDelivery, withDownloads } from "./delivery-rows.ts";
import { numberOrNull } from "./rows.ts";
import { insertion, sql, type Statement } from "./statement.ts";

/**
 * Condition for deliveries that may still be in time. It must equal the condition of the index
 * `deliveries_due`.
 */
const IS_AWAITED = sql`status IN ('expected', 'running')`;

/**
 * Condition for deliveries that were asked for and of which no file has arrived. It must equal the condition
 * of the index `deliveries_open`.
 */
const IS_OPEN = sql`status IN ('expected', 'running', 'missing')`;

/** Reads and writes the rows of deliveries. */
export class DeliveriesSql implements DeliveryRows {
  constructor(private readonly database: SqlDatabase) {}

  async insert(deliveries: readonly Delivery[]): Promise<void> {
    if (deliveries.length === 0) return;
    const rows = deliveries.map((delivery) => ({ ...delivery }));
    await this.database.run(sql`
      INSERT INTO deliveries ${insertion(...rows)} ON CONFLICT DO NOTHING`);
  }

  async busyAmong(
    schedule: string,
    clientIds: readonly string[],
    now: number,
  ): Promise<Set<string>> {
    const isDownloading = sql`own.status IN ('downloading', 'verifying')`;
    const isWaiting = sql`(own.status IS NULL OR own.status = 'queued')
      AND (jobs.expires_at IS NULL OR jobs.expires_at > ${now})`;
    const rows = await this.database.run<{ clientId: string }>(sql`
      SELECT DISTINCT member.client_id FROM jobs
      JOIN job_members AS member ON member.job_id = jobs.job_id
        AND member.client_id IN (SELECT value FROM ${tableOfIds(clientIds)})
      LEFT JOIN downloads AS own ON own.job_id = member.job_id
        AND own.client_id = member.client_id AND own.job_id IS NOT NULL AND own.retried_as IS NULL
      WHERE jobs.schedule = ${schedule} AND jobs.schedule IS NOT NULL
        AND jobs.status IN ('running', 'paused') AND (${isDownloading} OR ${isWaiting})`);
    return new Set(rows.map(({ clientId }) => clientId));
  }

  async at(
    scheduleId: string,
    localTime: string,
    clientIds: readonly string[],
  ): Promise<Delivery[]> {
    const rows = await this.database.run<Delivery>(sql`
      SELECT * FROM deliveries WHERE schedule_id = ${scheduleId} AND local_time = ${localTime}
        AND client_id IN (SELECT value FROM ${tableOfIds(clientIds)})`);
    return rows.map(toDelivery);
  }

  async ofJob(jobId: string, after: string, limit: number): Promise<Delivery[]> {
    const rows = await this.database.run<Delivery>(sql`
      SELECT * FROM ${indexed("deliveries", "deliveries_of_job")}
      WHERE job_id = ${jobId} AND job_id IS NOT NULL AND client_id > ${after}
      ORDER BY client_id LIMIT ${limit}`);
    return rows.map(toDelivery);
  }

  async askAgain({ revision, ...delivery }: Delivery, jobId: string): Promise<boolean> {
    const written = await this.database.run(sql`
      UPDATE deliveries SET job_id = ${jobId}, revision = ${revision + 1},
        status = CASE WHEN status = 'skipped' THEN 'expected' ELSE status END
      WHERE ${hasKey(delivery)} AND revision = ${revision} RETURNING client_id`);
    return written.length > 0;
  }

  async asked(jobId: string, clientIds: readonly string[]): Promise<Asked[]> {
    return this.#asked(sql`
      SELECT * FROM ${indexed("deliveries", "deliveries_of_job")}
      WHERE job_id = ${jobId} AND job_id IS NOT NULL
        AND client_id IN (SELECT value FROM ${tableOfIds(clientIds)})`);
  }

  async due(now: number, limit: number): Promise<Asked[]> {
    return this.#asked(sql`
      SELECT * FROM ${indexed("deliveries", "deliveries_due")}
      WHERE ${IS_AWAITED} AND due_at <= ${now} ORDER BY due_at LIMIT ${limit}`);
  }

  async open(after: DeliveryKey | null, limit: number): Promise<Asked[]> {
    const { scheduleId, clientId, localTime } = after ?? {
      scheduleId: "",
      clientId: "",
      localTime: "",
    };
    return this.#asked(sql`
      SELECT * FROM ${indexed("deliveries", "deliveries_open")}
      WHERE ${IS_OPEN}
        AND (schedule_id, client_id, local_time) > (${scheduleId}, ${clientId}, ${localTime})
      ORDER BY schedule_id, client_id, local_time LIMIT ${limit}`);
  }

  async nextDue(): Promise<number | null> {
    const [row] = await this.database.run<{ at: number | null }>(sql`
      SELECT MIN(due_at) AS at FROM ${indexed("deliveries", "deliveries_due")}
      WHERE ${IS_AWAITED}`);
    return numberOrNull(row?.at ?? null);
  }

  async change(changes: readonly DeliveryChange[]): Promise<Delivery[]> {
    if (changes.length === 0) return [];
    const wanted = changes.map(({ delivery, state }) => [
      ...[delivery.scheduleId, delivery.clientId, delivery.localTime, delivery.revision],
      ...[state.status, state.downloadId, state.files, state.bytes],
    ]);
    // Not flushed to disk: a lost change is made again, as all open deliveries are checked at the next start.
    const rows = await this.database.run<Delivery>(sql`
      UPDATE deliveries SET status = value->>4, download_id = value->>5,
        files = CAST(value->>6 AS BIGINT), bytes = CAST(value->>7 AS BIGINT),
        revision = deliveries.revision + 1
      FROM ${tableOfArrays(wanted)}
      WHERE schedule_id = value->>0 AND client_id = value->>1 AND local_time = value->>2
        AND revision = CAST(value->>3 AS BIGINT) RETURNING *`);
    return rows.map(toDelivery);
  }

  async list(scheduleId: string, filter: DeliveryFilter, inTurn: InTurn): Promise<Delivery[]> {
    const { sites, clientId, after, limit } = filter;
    const isOfSchedule = sql`schedule_id = ${scheduleId} ${passesFilter(filter)}`;
    if (!sites || clientId !== undefined) {
      const isAfter = after
        ? sql`AND local_time <= ${after.localTime}
            AND (local_time < ${after.localTime} OR client_id > ${after.clientId})`
        : sql``;
      return inTurn(() => this.#page(sql`${isOfSchedule} ${isAfter} ${isOfSites(sites)}`, limit));
    }
    // Reads the deliveries of one local time after another. Within a local time, the index finds the rows of
    // the wanted clients, so that no other rows are read.
    const found: Delivery[] = [];
    let localTime = after?.localTime;
    let afterClientId = after?.clientId ?? "";
    if (localTime === undefined)
      localTime = await inTurn(() => this.#newestLocalTime(isOfSchedule));
    while (localTime !== undefined && found.length < limit) {
      const isWanted = sql`${isOfSchedule} AND local_time = ${localTime} AND client_id > ${afterClientId}`;
      const remaining = limit - found.length;
      found.push(
        ...(await inTurn(() => this.#page(sql`${isWanted} ${isOfSites(sites)}`, remaining))),
      );
      const before = sql`${isOfSchedule} AND local_time < ${localTime}`;
      localTime = await inTurn(() => this.#newestLocalTime(before));
      afterClientId = "";
    }
    return found;
  }

  newestTime(scheduleId: string, { before, ...bounds }: TimeBounds): Promise<string | undefined> {
    const isBefore = before === undefined ? sql`` : sql`AND local_time < ${before}`;
    return this.#newestLocalTime(
      sql`schedule_id = ${scheduleId} ${isBefore} ${passesFilter(bounds)}`,
    );
  }

  async cells(
    { scheduleId, localTime }: TimeOf,
    after: string,
    sites: Sites | null,
    limit: number,
  ): Promise<Cell[]> {
    const rows = await this.database.run<Cell>(sql`
      SELECT client_id, status, job_id, due_at
      FROM ${indexed("deliveries", "deliveries_by_time")}
      WHERE schedule_id = ${scheduleId} AND local_time = ${localTime} AND client_id > ${after}
        ${isOfSites(sites)}
      ORDER BY client_id LIMIT ${limit}`);
    return rows.map((row) => ({ ...row, dueAt: Number(row.dueAt) }));
  }

  async latest(scheduleId: string, sites: Sites | null): Promise<DeliveryCounts | null> {
    const isOfSchedule = sql`schedule_id = ${scheduleId}`;
    const newest = sql`SELECT MAX(local_time) FROM deliveries WHERE ${isOfSchedule}`;
    const [row] = await this.database.run<{ localTime: string | null }>(
      sites
        ? sql`SELECT MAX(own) AS local_time FROM (
            SELECT (${newest} AND client_id = value) AS own FROM ${tableOfSites(sites)}) AS newest`
        : sql`SELECT (${newest}) AS local_time`,
    );
    const localTime = row?.localTime ?? null;
    if (localTime === null) return null;
    const rows = await this.database.run<{ status: DeliveryStatus; count: number }>(sql`
      SELECT status, COUNT(*) AS count FROM ${indexed("deliveries", "deliveries_by_time")}
      WHERE ${isOfSchedule} AND local_time = ${localTime} ${isOfSites(sites)} GROUP BY status`);
    const counts = Object.fromEntries(DELIVERY_STATUSES.map((status) => [status, 0]));
    for (const { status, count } of rows) counts[status] = Number(count);
    return { localTime, counts: counts as DeliveryCounts["counts"] };
  }

  async bytesOf(downloadId: string): Promise<number> {
    const [row] = await this.database.run<{ bytes: number | null }>(sql`
      SELECT SUM(size) AS bytes FROM set_files
      WHERE download_id = ${downloadId} AND status IN ('received', 'unchanged')`);
    return Number(row?.bytes ?? 0);
  }

  async #asked(deliveries: Statement): Promise<Asked[]> {
    return (await this.database.run<AskedRow>(withDownloads(deliveries))).map(toAsked);
  }

  async #page(wanted: Statement, limit: number): Promise<Delivery[]> {
    const rows = await this.database.run<Delivery>(sql`
      SELECT * FROM deliveries WHERE ${wanted}
      ORDER BY local_time DESC, client_id LIMIT ${limit}`);
    return rows.map(toDelivery);
  }

  async #newestLocalTime(wanted: Statement): Promise<string | undefined> {
    const [row] = await this.database.run<{ localTime: string }>(sql`
      SELECT local_time FROM deliveries WHERE ${wanted} ORDER BY local_time DESC LIMIT 1`);
    return row?.localTime;
  }
}

function hasKey({ scheduleId, clientId, localTime }: DeliveryKey): Statement {
  return sql`schedule_id = ${scheduleId} AND client_id = ${clientId}
    AND local_time = ${localTime}`;
}

function isOfSites(sites: Sites | null): Statement {
  return sites ? sql`AND client_id IN (SELECT value FROM ${tableOfSites(sites)})` : sql``;
}

function passesFilter({
  clientId,
  status,
  localFrom,
  localTo,
  from,
  to,
}: Partial<DeliveryFilter>): Statement {
  return sql`
    ${clientId === undefined ? sql`` : sql`AND client_id = ${clientId}`}
    ${status === undefined ? sql`` : sql`AND status = ${status}`}
    ${localFrom === undefined ? sql`` : sql`AND local_time >= ${localFrom}`}
    ${localTo === undefined ? sql`` : sql`AND local_time <= ${localTo}`}
    ${from === undefined ? sql`` : sql`AND scheduled_at >= ${from}`}
    ${to === undefined ? sql`` : sql`AND scheduled_at <= ${to}`}`;
}
