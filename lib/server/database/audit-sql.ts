import type { AuditFilter, AuditRow, AuditRows } from "../audit/audit.ts";
import type { SqlDatabase } from "./database.ts";
import { insertion, sql } from "./statement.ts";

/** Rows written in one statement, which takes only so many parameters. */
const BATCH = 500;

/** Who did what, in the same database as the downloads. */
export class AuditSql implements AuditRows {
  constructor(private readonly database: SqlDatabase) {}

  async insertAudit(rows: AuditRow[]): Promise<void> {
    for (let at = 0; at < rows.length; at += BATCH) {
      // A batch that was written before another one failed comes again.
      await this.database.keep(sql`
        INSERT INTO audit ${insertion(...rows.slice(at, at + BATCH))}
        ON CONFLICT (audit_id) DO NOTHING`);
    }
  }

  async listAudit(filter: AuditFilter): Promise<AuditRow[]> {
    const { action, actor, clientId, downloadId, outcome, since, before, limit } = filter;
    const rows = await this.database.run<AuditRow>(sql`
      SELECT * FROM audit
      WHERE TRUE
        ${action === undefined ? sql`` : sql`AND action = ${action}`}
        ${actor === undefined ? sql`` : sql`AND actor = ${actor}`}
        ${clientId === undefined ? sql`` : sql`AND client_id = ${clientId}`}
        ${downloadId === undefined ? sql`` : sql`AND download_id = ${downloadId}`}
        ${outcome === undefined ? sql`` : sql`AND outcome = ${outcome}`}
        ${since === undefined ? sql`` : sql`AND last_at >= ${since}`}
        ${before === undefined ? sql`` : sql`AND audit_id < ${before}`}
      ORDER BY audit_id DESC
      LIMIT ${limit}`);
    return rows.map((row) => ({
      ...row,
      at: Number(row.at),
      lastAt: Number(row.lastAt),
      count: Number(row.count),
    }));
  }

  async deleteAuditBefore(at: number): Promise<void> {
    await this.database.keep(sql`DELETE FROM audit WHERE last_at < ${at}`);
  }
}
