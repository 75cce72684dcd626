import type { Completed, Download } from "../download.ts";
import { DAY_MS, type KeepRows, type Stored } from "../keep.ts";
import type { SqlDatabase } from "./database.ts";
import { indexed, nextRevision } from "./engines.ts";
import { numberOrNull, toDownload, type DownloadRow } from "./rows.ts";
import { sql, type Statement } from "./statement.ts";

/**
 * Conditions for downloads. IS_STORED: the content is stored. TO_REMOVE: the content has a time of removal,
 * and is not held. WITHOUT_RULE: the content is stored, and no hold and no rule of retention applies to it.
 * Each must equal the condition of a partial index.
 */
const IS_STORED = sql`status = 'completed' AND removed_at IS NULL`;
const TO_REMOVE = sql`remove_at IS NOT NULL AND removed_at IS NULL AND held = 0`;
const WITHOUT_RULE = sql`${IS_STORED} AND held = 0 AND keep_days IS NULL AND keep_last IS NULL`;

const BY_TIME = indexed("downloads", "downloads_to_remove");
const BY_AGE = indexed("downloads", "downloads_without_rule");

/** Returns the columns that a job's rule of retention sets when a download of the job completes. */
export function ruleOf(jobId: string, completedAt: number) {
  const columnOfJob = (column: Statement, condition = sql``) =>
    sql`(SELECT ${column} FROM jobs WHERE jobs.job_id = ${jobId} ${condition})`;
  const withLast = sql`AND keep_last IS NOT NULL`;
  return {
    keepDays: columnOfJob(sql`keep_days`),
    keepLast: columnOfJob(sql`keep_last`),
    // The group's name is a slash and the name of the job's schedule, or the id of the job if no schedule
    // made it. No job's id begins with a slash, so the two kinds of names differ.
    keepGroup: columnOfJob(sql`COALESCE('/' || schedule, job_id)`, withLast),
    unranked: columnOfJob(sql`1`, withLast),
    removeAt: columnOfJob(
      sql`CAST(${completedAt} AS BIGINT) + keep_days * ${DAY_MS}`,
      sql`AND keep_last IS NULL`,
    ),
  };
}

/** Reads and writes the columns of downloads that belong to retention. */
export class KeepSql implements KeepRows {
  constructor(private readonly database: SqlDatabase) {}

  async setHold(downloadId: string, isHeld: boolean): Promise<Download | null> {
    const held = Number(isHeld);
    await this.database.runDurably(sql`
      UPDATE downloads SET held = ${held}, revision = ${nextRevision()}
      WHERE download_id = ${downloadId} AND held <> ${held}`);
    const [row] = await this.database.run<DownloadRow>(sql`
      SELECT * FROM downloads WHERE download_id = ${downloadId}`);
    return row ? toDownload(row) : null;
  }

  markRemoved(downloadId: string, now: number): Promise<Completed | null> {
    return this.#mark(downloadId, now, sql`AND held = 0`);
  }

  async markDue(downloadId: string, now: number, keepMs: number | null): Promise<Completed | null> {
    const isOld =
      keepMs === null ? sql`` : sql`OR (${WITHOUT_RULE} AND completed_at <= ${now - keepMs})`;
    const marked = await this.#mark(
      downloadId,
      now,
      sql`AND held = 0 AND ((${TO_REMOVE} AND remove_at <= ${now} AND ${isPushedOut()}) ${isOld})`,
    );
    if (marked) return marked;
    // If newer downloads were removed, this one may be among the newest `keep_last` again. Then it is kept.
    await this.database.run(sql`
      UPDATE downloads SET remove_at = NULL
      WHERE download_id = ${downloadId} AND ${TO_REMOVE} AND NOT ${isPushedOut()}`);
    return null;
  }

  markMissing(downloadId: string, now: number): Promise<Completed | null> {
    return this.#mark(downloadId, now, sql``, sql`, bytes_gone = 1`);
  }

  async #mark(
    downloadId: string,
    now: number,
    condition: Statement,
    moreAssignments = sql``,
  ): Promise<Completed | null> {
    const [row] = await this.database.runDurably<DownloadRow>(sql`
      UPDATE downloads SET removed_at = ${now}, revision = ${nextRevision()} ${moreAssignments}
      WHERE download_id = ${downloadId} AND ${IS_STORED} ${condition}
      RETURNING *`);
    return row ? toCompleted(row) : null;
  }

  async removing(after: string, limit: number): Promise<Completed[]> {
    const rows = await this.database.run<DownloadRow>(sql`
      SELECT * FROM ${indexed("downloads", "downloads_removing")}
      WHERE removed_at IS NOT NULL AND bytes_gone = 0 AND download_id > ${after}
      ORDER BY download_id LIMIT ${limit}`);
    return rows.map(toCompleted);
  }

  async bytesGone(downloadId: string): Promise<boolean> {
    const rows = await this.database.run(sql`
      UPDATE downloads SET bytes_gone = 1
      WHERE download_id = ${downloadId} AND removed_at IS NOT NULL AND bytes_gone = 0
      RETURNING download_id`);
    return rows.length > 0;
  }

  async rank(limit: number): Promise<number> {
    const rows = await this.database.run<{ id: string; keepGroup: string; clientId: string }>(sql`
      SELECT download_id AS id, keep_group, client_id
      FROM ${indexed("downloads", "downloads_unranked")}
      WHERE unranked = 1 ORDER BY download_id LIMIT ${limit}`);
    for (const { id, keepGroup, clientId } of rows) {
      await this.database.run(sql`
        UPDATE downloads SET remove_at = completed_at + COALESCE(keep_days, 0) * ${DAY_MS}
        WHERE download_id IN (
          SELECT download_id FROM (
            SELECT download_id, keep_last, remove_at,
              ROW_NUMBER() OVER (ORDER BY completed_at DESC, download_id DESC) AS place
            FROM ${indexed("downloads", "downloads_kept")}
            WHERE keep_group = ${keepGroup} AND keep_group IS NOT NULL
              AND client_id = ${clientId} AND ${IS_STORED}
          ) AS ranked
          WHERE place > keep_last AND remove_at IS NULL)`);
      // `unranked` is cleared last, so that the downloads are ranked again if the process ends before this
      // statement.
      await this.database.run(sql`UPDATE downloads SET unranked = NULL WHERE download_id = ${id}`);
    }
    return rows.length;
  }

  async due(now: number, keepMs: number | null, limit: number): Promise<string[]> {
    const byRule = await this.database.run<{ id: string }>(sql`
      SELECT download_id AS id FROM ${BY_TIME}
      WHERE ${TO_REMOVE} AND remove_at <= ${now} ORDER BY remove_at LIMIT ${limit}`);
    if (byRule.length > 0 || keepMs === null) return byRule.map(({ id }) => id);
    const byAge = await this.database.run<{ id: string }>(sql`
      SELECT download_id AS id FROM ${BY_AGE}
      WHERE ${WITHOUT_RULE} AND completed_at <= ${now - keepMs}
      ORDER BY completed_at LIMIT ${limit}`);
    return byAge.map(({ id }) => id);
  }

  async nextDueAt(keepMs: number | null): Promise<number | null> {
    const [byRule] = await this.database.run<{ at: number | null }>(sql`
      SELECT MIN(remove_at) AS at FROM ${BY_TIME} WHERE ${TO_REMOVE}`);
    const [byAge] =
      keepMs === null
        ? []
        : await this.database.run<{ at: number | null }>(sql`
            SELECT MIN(completed_at) AS at FROM ${BY_AGE} WHERE ${WITHOUT_RULE}`);
    const oldest = numberOrNull(byAge?.at ?? null);
    const times = [
      numberOrNull(byRule?.at ?? null),
      oldest === null || keepMs === null ? null : oldest + keepMs,
    ].filter((at) => at !== null);
    return times.length > 0 ? Math.min(...times) : null;
  }

  async usedBytes(clientId?: string): Promise<number> {
    const [row] = await this.database.run<{ bytes: number | null }>(sql`
      SELECT SUM(bytes) AS bytes FROM client_usage
      ${clientId === undefined ? sql`` : sql`WHERE client_id = ${clientId}`}`);
    return Number(row?.bytes ?? 0);
  }

  async clientsStored(): Promise<string[]> {
    const rows = await this.database.run<{ clientId: string }>(sql`
      SELECT client_id FROM client_usage WHERE bytes > 0 ORDER BY client_id`);
    return rows.map(({ clientId }) => clientId);
  }

  stored(clientId: string, revision: number, after: string, limit: number): Promise<Stored[]> {
    return this.database.run<Stored>(sql`
      SELECT download_id, saved_path FROM ${indexed("downloads", "downloads_stored")}
      WHERE client_id = ${clientId} AND ${IS_STORED} AND download_id > ${after}
        AND revision <= ${revision}
      ORDER BY download_id LIMIT ${limit}`);
  }
}

/**
 * Returns a condition that a download is not among its client's newest `keep_last` downloads of the same job,
 * or of all jobs of the same schedule if a schedule made the job. If the download's rule has no `keep_last`,
 * the condition is true.
 */
function isPushedOut(): Statement {
  return sql`(keep_last IS NULL OR keep_last <= (
    SELECT COUNT(*) FROM ${indexed("downloads AS newer", "downloads_kept")}
    WHERE newer.keep_group = downloads.keep_group AND newer.keep_group IS NOT NULL
      AND newer.client_id = downloads.client_id
      AND newer.status = 'completed' AND newer.removed_at IS NULL
      AND (newer.completed_at, newer.download_id) > (downloads.completed_at, downloads.download_id)))`;
}

/** Converts a row that was marked as removed. Only rows of completed downloads can be marked. */
function toCompleted(row: DownloadRow): Completed {
  return toDownload(row) as Completed;
}
