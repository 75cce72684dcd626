import type { DownloadFilter } from "./repository.ts";
import { downloadsOfEach, tableOfIds, indexed } from "./engines.ts";
import type { Sites } from "../access/sites.ts";
import { withLabels } from "./selector-sql.ts";
import { sql, type Statement } from "./statement.ts";

/** Condition for failed downloads that nobody has retried. */
const IS_OPEN = sql`status = 'failed' AND retried_as IS NULL`;

/**
 * The table of failed downloads that nobody has retried, with the index that sorts them by id. Without this
 * index, SQLite might read all failed downloads.
 */
export const OPEN_FAILURES = sql`${indexed("downloads", "downloads_open")} WHERE ${IS_OPEN}`;

/**
 * The table of failed downloads that nobody has retried, with the index that sorts them by client, then by
 * id.
 */
export const OPEN_FAILURES_BY_CLIENT = sql`
  ${indexed("downloads", "downloads_open_by_client")} WHERE ${IS_OPEN}`;

/** Returns a table with one column `value`, which has the id of each client that a caller may see. */
export function tableOfSites({ ids, selector }: Sites): Statement {
  if (selector === null) return tableOfIds(ids);
  return sql`(SELECT value FROM ${tableOfIds(ids)} UNION ${withLabels(selector)}) AS sites`;
}

/**
 * Returns a query for the downloads that pass a filter, newest first. It reads about as many rows as it
 * returns.
 */
export function listOf(filter: DownloadFilter): Statement {
  const { status, clientId, jobId, sites, before, open, limit } = filter;
  if (jobId !== undefined) return listOfJob(jobId, filter);
  const wanted = sql`
    ${status === undefined ? sql`` : sql`AND status = ${status}`}
    ${before === undefined ? sql`` : sql`AND download_id < ${before}`}`;
  const rowsByClient = sql`${open ? OPEN_FAILURES_BY_CLIENT : sql`downloads WHERE TRUE`} ${wanted}`;
  if (clientId !== undefined) {
    const isInSites = sites
      ? sql`AND client_id IN (SELECT value FROM ${tableOfSites(sites)})`
      : sql``;
    return page(sql`${rowsByClient} AND client_id = ${clientId} ${isInSites}`, limit);
  }
  if (sites) return listOfSites(sites, rowsByClient, limit);
  return page(sql`${open ? OPEN_FAILURES : sql`downloads WHERE TRUE`} ${wanted}`, limit);
}

/** Returns a query for the downloads of a job that also pass the rest of a filter. */
function listOfJob(jobId: string, filter: DownloadFilter): Statement {
  const { status, clientId, sites, before, open, limit } = filter;
  return page(
    sql`downloads WHERE job_id = ${jobId}
      ${status === undefined ? sql`` : sql`AND status = ${status}`}
      ${clientId === undefined ? sql`` : sql`AND client_id = ${clientId}`}
      ${open ? sql`AND ${IS_OPEN}` : sql``}
      ${sites ? sql`AND client_id IN (SELECT value FROM ${tableOfSites(sites)})` : sql``}
      ${before === undefined ? sql`` : sql`AND download_id < ${before}`}`,
    limit,
  );
}

function page(from: Statement, limit: number): Statement {
  return sql`SELECT * FROM ${from} ORDER BY download_id DESC LIMIT ${limit}`;
}

/**
 * Returns a query for a page of the newest downloads of many sites. Reading all downloads of these sites
 * would take too long, as they may be most of the table. Reading downloads of all sites, from the newest one
 * on, could take as long, as few of them may belong to these sites. So the query first finds the newest
 * download of each site, and takes the latest `limit` of these. If there are that many, no older download can
 * be on the page, so older ones are not read.
 */
function listOfSites(sites: Sites, rowsByClient: Statement, limit: number): Statement {
  const pageOfSite = sql`
    SELECT download_id FROM ${rowsByClient}
      AND client_id = site AND download_id >= (SELECT id FROM oldest)
    ORDER BY download_id DESC LIMIT ${limit}`;
  return sql`
    WITH newest AS MATERIALIZED (
      SELECT value AS site, (SELECT MAX(download_id) FROM ${rowsByClient} AND client_id = value) AS id
      FROM ${tableOfSites(sites)}
    ), latest AS MATERIALIZED (
      SELECT site, id FROM newest WHERE id IS NOT NULL ORDER BY id DESC LIMIT ${limit}
    ), oldest AS MATERIALIZED (
      SELECT CASE WHEN COUNT(*) < ${limit} THEN '' ELSE MIN(id) END AS id FROM latest
    )
    SELECT * FROM downloads WHERE download_id IN (
      SELECT own.download_id FROM latest ${downloadsOfEach(pageOfSite)}
      ORDER BY own.download_id DESC LIMIT ${limit}
    )
    ORDER BY download_id DESC`;
}
