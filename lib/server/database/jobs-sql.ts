import type { Sites } from "../access/sites.ts";
import type { Download, Queued } from "../download.ts";
import {
  type IdempotencyKey,
  type Job,
  type JobFilter,
  type JobRows,
  type JobStatus,
  type JobTotals,
  type Member,
  type NewDownload,
  type Replacement,
  JOB_STATUSES,
} from "../job.ts";
import type { SqlDatabase } from "./database.ts";
import { activeOfJob, indexed, nextRevision } from "./engines.ts";
import { type JobRow, toJob, toJobRow } from "./job-row.ts";
import { tableOfSites } from "./list-sql.ts";
import { numberOrNull, toDownload, toRow, type DownloadRow } from "./rows.ts";
import { assignments, insertion, list, sql, type Statement } from "./statement.ts";
import { NONE } from "./totals-sql.ts";

/** Number of clients that one statement adds to a job. Such a statement takes about a millisecond. */
const ADDED_AT_ONCE = 200;

interface TotalsRow {
  status: Download["status"] | "member";
  count: number;
  bytes: number | null;
  size: number | null;
  received: number | null;
  skipped: number | null;
}

/**
 * Condition for the newest download of each client of a job. It must equal the condition of the index
 * `downloads_of_job`.
 */
export const IS_NEWEST = sql`job_id IS NOT NULL AND retried_as IS NULL`;

/**
 * The table of downloads, read by the index `downloads_of_job`. SQLite might otherwise choose an index that
 * also has the retried downloads.
 */
export const DOWNLOADS_OF_JOB = indexed("downloads", "downloads_of_job");

/** Reads and writes the rows of jobs, of the clients of jobs, and of idempotency keys. */
export class JobsSql implements JobRows {
  constructor(private readonly database: SqlDatabase) {}

  async draft(job: Job): Promise<void> {
    const row: JobRow = { ...toJobRow(job), status: "draft" };
    await this.database.run(sql`
      INSERT INTO jobs ${insertion({ ...row })} ON CONFLICT (job_id) DO NOTHING`);
  }

  async addMembers(jobId: string, clientIds: readonly string[]): Promise<number> {
    let added = 0;
    for (let at = 0; at < clientIds.length; at += ADDED_AT_ONCE) {
      const rows = clientIds.slice(at, at + ADDED_AT_ONCE).map((id) => sql`(${jobId}, ${id})`);
      const written = await this.database.run(sql`
        INSERT INTO job_members (job_id, client_id) VALUES ${list(rows)}
        ON CONFLICT DO NOTHING RETURNING client_id`);
      added += written.length;
    }
    return added;
  }

  async publish(jobId: string): Promise<Job> {
    const [row] = await this.database.runDurably<JobRow>(sql`
      UPDATE jobs SET status = 'running' WHERE job_id = ${jobId} AND status = 'draft' RETURNING *`);
    const job = row ? toJob(row) : await this.get(jobId);
    if (!job) throw new Error(`there is no draft of the job "${jobId}"`);
    return job;
  }

  async dropDrafts(before: number): Promise<void> {
    const isDraft = sql`status = 'draft' AND created_at < ${before}`;
    const drafts = sql`SELECT job_id FROM jobs WHERE ${isDraft}`;
    await this.database.run(sql`DELETE FROM job_members WHERE job_id IN (${drafts})`);
    await this.database.run(sql`DELETE FROM jobs WHERE ${isDraft}`);
  }

  async get(jobId: string): Promise<Job | null> {
    const [row] = await this.database.run<JobRow>(sql`
      SELECT * FROM jobs WHERE job_id = ${jobId} AND status <> 'draft'`);
    return row ? toJob(row) : null;
  }

  async list({ status, seenBy, before, limit }: JobFilter): Promise<Job[]> {
    const rows = await this.database.run<JobRow>(sql`
      SELECT * FROM jobs WHERE status <> 'draft'
        ${status === undefined ? sql`` : sql`AND status = ${status}`}
        ${before === undefined ? sql`` : sql`AND job_id < ${before}`}
        ${seenBy ? isSeenBy(seenBy) : sql``}
      ORDER BY job_id DESC LIMIT ${limit}`);
    return rows.map(toJob);
  }

  async countByStatus(): Promise<Record<JobStatus, number>> {
    const rows = await this.database.run<{ status: JobStatus; count: number }>(sql`
      SELECT status, COUNT(*) AS count FROM jobs WHERE status <> 'draft' GROUP BY status`);
    const counts = Object.fromEntries(JOB_STATUSES.map((status) => [status, 0]));
    for (const { status, count } of rows) counts[status] = Number(count);
    return counts as Record<JobStatus, number>;
  }

  async open(): Promise<Job[]> {
    const rows = await this.database.run<JobRow>(sql`
      SELECT * FROM jobs WHERE status IN ('running', 'paused')
      UNION ALL SELECT * FROM jobs
        WHERE unsettled = 1 AND status IN ('completed', 'failed', 'cancelled', 'stopped')
      ORDER BY job_id`);
    return rows.map(toJob);
  }

  async continuous(): Promise<Job[]> {
    const rows = await this.database.run<JobRow>(sql`
      SELECT * FROM jobs WHERE membership = 'continuous' AND status IN ('running', 'paused')
      ORDER BY job_id`);
    return rows.map(toJob);
  }

  async replace(next: Job): Promise<Job | null> {
    const { jobId, revision, ...row } = toJobRow(next);
    const [written] = await this.database.runDurably<JobRow>(sql`
      UPDATE jobs SET ${assignments({ ...row, revision: revision + 1 })}
      WHERE job_id = ${jobId} AND revision = ${revision} RETURNING *`);
    return written ? toJob(written) : null;
  }

  async nextExpiry(after: number): Promise<number | null> {
    const [row] = await this.database.run<{ at: number | null }>(sql`
      SELECT MIN(expires_at) AS at FROM jobs
      WHERE status IN ('running', 'paused') AND expires_at > ${after}`);
    return numberOrNull(row?.at ?? null);
  }

  async totals(jobId: string, sites: Sites | null): Promise<JobTotals> {
    const isInSites = sites
      ? sql`AND client_id IN (SELECT value FROM ${tableOfSites(sites)})`
      : sql``;
    const rows = await this.database.run<TotalsRow>(sql`
      SELECT 'member' AS status, COUNT(*) AS count, 0 AS bytes, 0 AS size, 0 AS received, 0 AS skipped
        FROM job_members WHERE job_id = ${jobId} ${isInSites}
      UNION ALL
      SELECT status, COUNT(*), SUM(safe_offset), SUM(total_size),
          SUM(COALESCE(files_received, CASE WHEN status = 'completed' THEN 1 END)),
          SUM(files_skipped)
        FROM ${DOWNLOADS_OF_JOB} WHERE job_id = ${jobId} AND ${IS_NEWEST} ${isInSites} GROUP BY status`);
    return toTotals(rows);
  }

  async members(jobId: string, after: string, limit: number): Promise<Member[]> {
    const rows = await this.database.run<{ clientId: string; made: number }>(sql`
      SELECT member.client_id, (SELECT COUNT(*) FROM downloads
        WHERE job_id = member.job_id AND client_id = member.client_id AND ${IS_NEWEST}) AS made
      FROM job_members AS member
      WHERE member.job_id = ${jobId} AND member.client_id > ${after}
      ORDER BY member.client_id LIMIT ${limit}`);
    return rows.map(({ clientId, made }) => ({ clientId, hasDownload: Number(made) > 0 }));
  }

  downloads(
    jobId: string,
    status: Download["status"],
    after: string,
    limit: number,
  ): Promise<Pick<Download, "clientId" | "downloadId" | "localTime">[]> {
    return this.database.run(sql`
      SELECT client_id, download_id, local_time FROM ${DOWNLOADS_OF_JOB}
      WHERE job_id = ${jobId} AND ${IS_NEWEST} AND status = ${status} AND download_id > ${after}
      ORDER BY download_id LIMIT ${limit}`);
  }

  async replacementFor(jobId: string, clientId: string): Promise<Replacement | null> {
    const [row] = await this.database.run<Replacement>(sql`
      SELECT retried_as AS download_id, local_time FROM ${indexed("downloads", "downloads_of_job_retried")}
      WHERE job_id = ${jobId} AND client_id = ${clientId}
        AND job_id IS NOT NULL AND retried_as IS NOT NULL
      ORDER BY download_id DESC LIMIT 1`);
    return row ?? null;
  }

  async insertDownload(download: Queued, startsAt: number | null): Promise<Queued | null> {
    return (await this.insertDownloads([{ download, startsAt }]))[0] ?? null;
  }

  async insertDownloads(newDownloads: readonly NewDownload[]): Promise<Queued[]> {
    if (newDownloads.length === 0) return [];
    const rows = newDownloads.map(({ download, startsAt }, index) => ({
      ...toRow(download),
      startsAt,
      revision: nextRevision(index),
    }));
    const written = await this.database.run<DownloadRow>(sql`
      INSERT INTO downloads ${insertion(...rows)} ON CONFLICT DO NOTHING RETURNING *`);
    return written.map((row) => toDownload(row) as Queued);
  }

  flush(): Promise<void> {
    return this.database.flush();
  }

  async findKey(owner: string, key: string, since: number): Promise<IdempotencyKey | null> {
    const [row] = await this.database.run<IdempotencyKey>(sql`
      SELECT * FROM idempotency_keys
      WHERE owner = ${owner} AND key = ${key} AND created_at >= ${since}`);
    return row ? { ...row, createdAt: Number(row.createdAt) } : null;
  }

  async takeKey(key: IdempotencyKey, forgetBefore: number): Promise<IdempotencyKey> {
    await this.database.runDurably(sql`
      INSERT INTO idempotency_keys ${insertion({ ...key })}
      ON CONFLICT (owner, key) DO UPDATE SET ${assignments({ ...key })}
        WHERE idempotency_keys.created_at < ${forgetBefore}`);
    await this.database.run(sql`
      DELETE FROM idempotency_keys WHERE created_at < ${forgetBefore}`);
    return (await this.findKey(key.owner, key.key, forgetBefore)) ?? key;
  }
}

/**
 * Returns a condition that a job may start another download, for use in the statement that claims a download.
 */
export function mayStart(jobId: string, now: number): Statement {
  const active = sql`(SELECT COUNT(*) FROM ${DOWNLOADS_OF_JOB}
    WHERE job_id = ${jobId} AND ${IS_NEWEST} AND status IN ('downloading', 'verifying'))`;
  return sql`EXISTS (
    SELECT 1 FROM jobs WHERE job_id = ${jobId} AND status = 'running'
      AND (expires_at IS NULL OR expires_at > ${now})
      AND (max_concurrent IS NULL OR max_concurrent > ${activeOfJob(jobId, active)}))`;
}

function isSeenBy({ sites, tokenHash }: NonNullable<JobFilter["seenBy"]>): Statement {
  return sql`AND (created_with = ${tokenHash} OR EXISTS (
    SELECT 1 FROM job_members AS member
    WHERE member.job_id = jobs.job_id
      AND member.client_id IN (SELECT value FROM ${tableOfSites(sites)})))`;
}

function toTotals(rows: readonly TotalsRow[]): JobTotals {
  const counts = { ...NONE };
  const totals = { total: 0, bytesReceived: 0, totalSize: 0, filesReceived: 0, filesSkipped: 0 };
  let downloadCount = 0;
  for (const { status, count, bytes, size, received, skipped } of rows) {
    if (status === "member") {
      totals.total = Number(count);
      continue;
    }
    counts[status] = Number(count);
    downloadCount += Number(count);
    totals.bytesReceived += Number(bytes);
    totals.totalSize += Number(size);
    totals.filesReceived += Number(received);
    totals.filesSkipped += Number(skipped);
  }
  counts.queued += totals.total - downloadCount;
  return { ...totals, counts };
}
