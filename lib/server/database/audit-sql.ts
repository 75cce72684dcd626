import type { AuditFilter, AuditRows } from "../audit/audit.ts";
import type { AuditRow, Standing } from "../audit/entry.ts";
import { loopTurns } from "../../util/loop-turns.ts";
import type { SqlDatabase } from "./database.ts";
import { insertion, sql, type Statement } from "./statement.ts";

/** Rows in one statement, which holds the event loop for about 5 ms. */
const WRITTEN_AT_ONCE = 100;
const REMOVED_AT_ONCE = 500;

/** Rows that are looked at in one go for those that are asked for: it takes about 2 ms. */
const SLICE = 2_000;

/** Who did what, in the same database as the downloads. */
export class AuditSql implements AuditRows {
  constructor(private readonly database: SqlDatabase) {}

  async insertAudit(rows: AuditRow[]): Promise<void> {
    for (let at = 0; at < rows.length; at += WRITTEN_AT_ONCE) {
      // A batch that was written before another one failed comes again.
      await this.database.keep(sql`
        INSERT INTO audit ${insertion(...rows.slice(at, at + WRITTEN_AT_ONCE))}
        ON CONFLICT (audit_id) DO NOTHING`);
    }
  }

  async listAudit(filter: AuditFilter): Promise<AuditRow[]> {
    const found: AuditRow[] = [];
    // Slice by slice, with others in between: few rows may match, among more than a million.
    for (let before = filter.before; found.length < filter.limit;) {
      const until = await loopTurns.run(() => this.#endOfSlice(filter, before));
      const limit = filter.limit - found.length;
      const slice = { ...filter, before, limit };
      found.push(...(await loopTurns.run(() => this.#matching(slice, until))));
      if (until === undefined) break;
      before = until;
    }
    return found;
  }

  /** The id of the last row of a slice; undefined where it is the last one. */
  async #endOfSlice(filter: AuditFilter, before: string | undefined): Promise<string | undefined> {
    const [row] = await this.database.run<Pick<AuditRow, "auditId">>(sql`
      SELECT audit_id FROM audit
      WHERE ${olderOf(filter, before)}
      ORDER BY audit_id DESC
      LIMIT 1 OFFSET ${SLICE - 1}`);
    return row?.auditId;
  }

  /** @param until the id of the oldest row that is looked at; undefined: all */
  async #matching(filter: AuditFilter, until: string | undefined): Promise<AuditRow[]> {
    const { action, actor, downloadId, outcome, since, before, limit } = filter;
    const rows = await this.database.run<AuditRow>(sql`
      SELECT * FROM audit
      WHERE ${olderOf(filter, before)}
        ${until === undefined ? sql`` : sql`AND audit_id >= ${until}`}
        ${action === undefined ? sql`` : sql`AND action = ${action}`}
        ${actor === undefined ? sql`` : sql`AND actor = ${actor}`}
        ${downloadId === undefined ? sql`` : sql`AND download_id = ${downloadId}`}
        ${outcome === undefined ? sql`` : sql`AND outcome = ${outcome}`}
        ${since === undefined ? sql`` : sql`AND last_at >= ${since}`}
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
    const rows = await this.database.run<Pick<AuditRow, "standing" | "bytes">>(sql`
      SELECT standing, SUM(bytes) AS bytes FROM audit GROUP BY standing`);
    const sizes = { act: 0, known: 0, stranger: 0 };
    for (const { standing, bytes } of rows) sizes[standing] = Number(bytes);
    return sizes;
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

function olderOf({ clientId }: AuditFilter, before: string | undefined): Statement {
  return sql`TRUE
    ${clientId === undefined ? sql`` : sql`AND client_id = ${clientId}`}
    ${before === undefined ? sql`` : sql`AND audit_id < ${before}`}`;
}
