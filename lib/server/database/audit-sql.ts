import type { AuditFilter, AuditRows } from "../audit/audit.ts";
import { type AuditRow, type Standing, STANDINGS } from "../audit/entry.ts";
import type { InTurn } from "../../util/fair-turns.ts";
import type { SqlDatabase } from "./database.ts";
import { unindexed } from "./engines.ts";
import { insertion, sql, type Statement } from "./statement.ts";
import { idBefore } from "./totals-sql.ts";

/**
 * Limits on the audit rows that one statement inserts or removes. Such a statement takes some milliseconds.
 */
const WRITTEN_AT_ONCE = 100;
const REMOVED_AT_ONCE = 100;

/** Number of audit rows that one query searches. Such a query takes about a millisecond. */
const SLICE = 1_000;

/** Reads and writes the rows of the audit, which records who did what. */
export class AuditSql implements AuditRows {
  constructor(
    private readonly database: SqlDatabase,
    private readonly inTurn: InTurn,
  ) {}

  async insertAudit(rows: AuditRow[]): Promise<void> {
    for (let at = 0; at < rows.length; at += WRITTEN_AT_ONCE) {
      // Skips rows that are already stored: after a failure, all batches are inserted again, also those that
      // had succeeded.
      await this.database.runDurably(sql`
        INSERT INTO audit ${insertion(...rows.slice(at, at + WRITTEN_AT_ONCE))}
        ON CONFLICT (audit_id) DO NOTHING`);
    }
  }

  async listAudit(filter: AuditFilter, inTurn = this.inTurn): Promise<AuditRow[]> {
    const found: AuditRow[] = [];
    // The search runs slice by slice, with other work in between, as it may read more than a million rows to
    // find a few.
    for (let before = filter.before; found.length < filter.limit;) {
      const slice = { ...filter, before, limit: filter.limit - found.length };
      const { rows, end } = await inTurn(() => this.#slice(slice));
      found.push(...rows);
      if (end === undefined) break;
      before = end;
    }
    return found;
  }

  /**
   * Searches the next slice of the audit for rows that pass a filter.
   * @returns the rows that pass, and the id of the last row that was searched; undefined: no rows are left to
   *   search
   */
  async #slice(filter: AuditFilter): Promise<{ rows: AuditRow[]; end: string | undefined }> {
    const [last] = await this.database.run<Pick<AuditRow, "auditId">>(sql`
      SELECT audit_id FROM audit
      WHERE ${conditionsOf(filter)} AND audit_id > ${lowestIdOf(filter)}
      ORDER BY audit_id DESC
      LIMIT 1 OFFSET ${SLICE - 1}`);
    const end = last?.auditId;
    return { rows: await this.#matching(filter, end ?? lowestIdOf(filter)), end };
  }

  /** Returns the rows of a slice that pass a filter. @param until id of the oldest row to search */
  async #matching(filter: AuditFilter, until: string): Promise<AuditRow[]> {
    const { action, actor, outcome, since, limit } = filter;
    // The index by `last_at` must not be used here. SQLite would then read all rows since the time `since`,
    // instead of only the rows of the slice.
    const rows = await this.database.run<AuditRow>(sql`
      SELECT * FROM audit
      WHERE ${conditionsOf(filter)} AND audit_id >= ${until}
        ${action === undefined ? sql`` : sql`AND action = ${action}`}
        ${actor === undefined ? sql`` : sql`AND actor = ${actor}`}
        ${outcome === undefined ? sql`` : sql`AND outcome = ${outcome}`}
        ${since === undefined ? sql`` : sql`AND ${unindexed("last_at")} >= ${since}`}
      ORDER BY audit_id DESC
      LIMIT ${limit}`);
    return rows.map((row) => ({
      ...row,
      at: Number(row.at),
      lastAt: Number(row.lastAt),
      count: Number(row.count),
      bytes: Number(row.bytes),
    }));
  }

  async auditSizes(): Promise<Record<Standing, number>> {
    const sizes = { act: 0, known: 0, stranger: 0 };
    for (const standing of STANDINGS) {
      for (let after: string | null = ""; after !== null;) {
        const { bytes, end } = await this.inTurn(() => this.#sizeOfSlice(standing, after ?? ""));
        sizes[standing] += bytes;
        after = end;
      }
    }
    return sizes;
  }

  /**
   * Returns the size of the next slice of audit rows, in bytes, and the id of the last row of the slice. The
   * id is null if there are no more rows.
   * @param standing only rows of this importance are counted
   * @param after id of the audit row after which the slice begins
   */
  async #sizeOfSlice(standing: Standing, after: string) {
    const [slice] = await this.database.run<{ bytes: number | null; end: string | null }>(sql`
      SELECT SUM(bytes) AS bytes, MAX(audit_id) AS "end" FROM (
        SELECT audit_id, bytes FROM audit WHERE standing = ${standing} AND audit_id > ${after}
        ORDER BY audit_id LIMIT ${SLICE}) AS slice`);
    return { bytes: Number(slice?.bytes ?? 0), end: slice?.end ?? null };
  }

  async removeAudit(
    which: { standing: Standing } | { before: number },
  ): Promise<Pick<AuditRow, "standing" | "bytes">[]> {
    const oldest =
      "standing" in which
        ? sql`standing = ${which.standing} ORDER BY audit_id`
        : sql`last_at < ${which.before}`;
    const removed = await this.database.run<Pick<AuditRow, "standing" | "bytes">>(sql`
      DELETE FROM audit
      WHERE audit_id IN (SELECT audit_id FROM audit WHERE ${oldest} LIMIT ${REMOVED_AT_ONCE})
      RETURNING standing, bytes`);
    return removed.map(({ standing, bytes }) => ({ standing, bytes: Number(bytes) }));
  }
}

/**
 * Returns a filter's conditions on the client, the download and the id of an audit row. The indexes by client
 * and by download return rows in the order of their ids.
 */
function conditionsOf({ clientId, downloadId, before }: AuditFilter): Statement {
  return sql`TRUE
    ${downloadId === undefined ? sql`` : sql`AND download_id = ${downloadId}`}
    ${clientId === undefined ? sql`` : sql`AND client_id = ${clientId}`}
    ${before === undefined ? sql`` : sql`AND audit_id < ${before}`}`;
}

/**
 * Returns a lower bound of the ids of the audit rows that pass a filter. An id begins with the time at which
 * the row's event last occurred.
 */
function lowestIdOf({ since }: AuditFilter): string {
  return since === undefined ? "" : idBefore(since);
}
