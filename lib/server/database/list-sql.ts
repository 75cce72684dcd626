import type { DownloadFilter } from "./repository.ts";
import { downloadsOfEach, idsOf, indexed } from "./engines.ts";
import type { Sites } from "../access/sites.ts";
import { withLabels } from "./selector-sql.ts";
import { sql, type Statement } from "./statement.ts";

/** Failed downloads whose files are still owed: nobody has asked for them again. */
const IS_OPEN = sql`status = 'failed' AND retried_as IS NULL`;

/** The open failures of all clients, by id. Without the hint, SQLite reads everything that failed. */
export const OPEN_FAILURES = sql`${indexed("downloads", "downloads_open")} WHERE ${IS_OPEN}`;

/** The same, by client and id. */
export const OPEN_FAILURES_BY_CLIENT = sql`
  ${indexed("downloads", "downloads_open_by_client")} WHERE ${IS_OPEN}`;

/** Clients as a table with one column, `value`. */
export function sitesOf({ ids, selector }: Sites): Statement {
  if (selector === null) return idsOf(ids);
  return sql`(SELECT value FROM ${idsOf(ids)} UNION ${withLabels(selector)}) AS sites`;
}

/** Downloads that pass a filter, newest first. It reads about as many rows as it returns. */
export function listOf(filter: DownloadFilter): Statement {
  const { status, clientId, jobId, sites, before, open, limit } = filter;
  if (jobId !== undefined) return listOfJob(jobId, filter);
  const wanted = sql`
    ${status === undefined ? sql`` : sql`AND status = ${status}`}
    ${before === undefined ? sql`` : sql`AND download_id < ${before}`}`;
  const ofClient = sql`${open ? OPEN_FAILURES_BY_CLIENT : sql`downloads WHERE TRUE`} ${wanted}`;
  if (clientId !== undefined) {
    const isTheirs = sites ? sql`AND client_id IN (SELECT value FROM ${sitesOf(sites)})` : sql``;
    return page(sql`${ofClient} AND client_id = ${clientId} ${isTheirs}`, limit);
  }
  if (sites) return listOfSites(sites, ofClient, limit);
  return page(sql`${open ? OPEN_FAILURES : sql`downloads WHERE TRUE`} ${wanted}`, limit);
}

/** A job's downloads that pass the other conditions of the filter. */
function listOfJob(jobId: string, filter: DownloadFilter): Statement {
  const { status, clientId, sites, before, open, limit } = filter;
  return page(
    sql`downloads WHERE job_id = ${jobId}
      ${status === undefined ? sql`` : sql`AND status = ${status}`}
      ${clientId === undefined ? sql`` : sql`AND client_id = ${clientId}`}
      ${open ? sql`AND ${IS_OPEN}` : sql``}
      ${sites ? sql`AND client_id IN (SELECT value FROM ${sitesOf(sites)})` : sql``}
      ${before === undefined ? sql`` : sql`AND download_id < ${before}`}`,
    limit,
  );
}

function page(from: Statement, limit: number): Statement {
  return sql`SELECT * FROM ${from} ORDER BY download_id DESC LIMIT ${limit}`;
}

/**
 * The newest downloads of many sites, of which some have few rows and some have most. It must read neither
 * all rows of each site, nor all rows until enough of them belong to these sites. So it first looks up the
 * newest download of each site. At most `limit` sites can have rows on the page: those with the newest
 * downloads. And no row on it is older than the newest one of the last of these sites.
 */
function listOfSites(sites: Sites, ofClient: Statement, limit: number): Statement {
  const ofSite = sql`
    SELECT download_id FROM ${ofClient}
      AND client_id = site AND download_id >= (SELECT MIN(id) FROM latest)
    ORDER BY download_id DESC LIMIT ${limit}`;
  return sql`
    WITH newest AS MATERIALIZED (
      SELECT value AS site, (SELECT MAX(download_id) FROM ${ofClient} AND client_id = value) AS id
      FROM ${sitesOf(sites)}
    ), latest AS MATERIALIZED (
      SELECT site, id FROM newest WHERE id IS NOT NULL ORDER BY id DESC LIMIT ${limit}
    )
    SELECT * FROM downloads WHERE download_id IN (
      SELECT own.download_id FROM latest ${downloadsOfEach(ofSite)}
      ORDER BY own.download_id DESC LIMIT ${limit}
    )
    ORDER BY download_id DESC`;
}
