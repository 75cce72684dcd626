import { LONGEST_WAIT_MS } from "../transition.ts";
import { type Limits, limitsOfJobs, type Waiting } from "./repository.ts";
import { activeOf, indexed, nextRevision, skipLocked, unindexed } from "./engines.ts";
import { mayStart, IS_NEWEST, DOWNLOADS_OF_JOB } from "./jobs-sql.ts";
import { sql, type Statement } from "./statement.ts";

/**
 * Returns the statement that claims a client's oldest due download in a line of the queue, if the limits
 * allow another running download. A line holds the downloads of one job, or those without a job.
 * @param owner lease of the claiming server, to which the client must be connected; null: there is only one
 *   server
 */
export function claimOf(
  { clientId, line }: Waiting,
  limits: Limits,
  now: number,
  owner: string | null,
): Statement {
  return sql`
    UPDATE downloads SET
      status = 'downloading', ${owner === null ? sql`` : sql`owner = ${owner},`} started_at = COALESCE(started_at, ${now}),
      attempts = attempts + 1, epoch = epoch + 1, revision = ${nextRevision()},
      not_before = NULL, problem_code = NULL, problem_message = NULL
    WHERE status = 'queued'
      AND download_id = (
        SELECT download_id FROM downloads
        WHERE client_id = ${clientId} AND status = 'queued' AND ${isDue(now)}
          AND ${line === null ? sql`job_id IS NULL` : sql`job_id = ${line}`}
          AND ${line === null ? sql`TRUE` : jobMayStart(clientId, line, limits, now, owner)}
          ${owner === null ? sql`` : sql`AND ${holdsClient(owner, clientId)}`}
          AND ${limits.perClient} > ${activeOf(clientId)}
          AND ${limits.total} > (
            SELECT COUNT(*) FROM downloads
            WHERE status IN ('downloading', 'verifying') ${isOwnedBy(owner)})
        ORDER BY download_id
        LIMIT 1 ${skipLocked()})
    RETURNING *`;
}

/**
 * Returns a condition that a download belongs to a server's lease. Only such downloads count toward the total
 * limit, as each server has a total limit of its own.
 * @param owner lease of the server; null: there is only one server, so the condition is empty
 */
function isOwnedBy(owner: string | null): Statement {
  return owner === null ? sql`` : sql`AND owner = ${owner}`;
}

/**
 * Returns a condition that a lease is valid, and that a client is connected to the server of this lease. Both
 * stay true until the statement ends.
 */
function holdsClient(owner: string, clientId: string): Statement {
  return sql`EXISTS (SELECT 1 FROM servers WHERE lease_id = ${owner} FOR KEY SHARE)
    AND EXISTS (SELECT 1 FROM client_sessions
      WHERE client_id = ${clientId} AND lease_id = ${owner} FOR SHARE)`;
}

function jobMayStart(
  clientId: string,
  jobId: string,
  limits: Limits,
  now: number,
  owner: string | null,
): Statement {
  const { total, perClient } = limitsOfJobs(limits);
  return sql`${mayStart(jobId, now)}
      AND ${total} > (
        SELECT COUNT(*) FROM downloads
        WHERE status IN ('downloading', 'verifying') AND job_id IS NOT NULL ${isOwnedBy(owner)})
      AND ${perClient} > (
        SELECT COUNT(*) FROM downloads
        WHERE status IN ('downloading', 'verifying') AND client_id = ${clientId}
          AND job_id IS NOT NULL)`;
}

/**
 * Returns a condition that a queued download is due. It is also due if its due time lies further ahead than
 * the longest wait, which means that the clock was set back.
 */
export function isDue(now: number): Statement {
  // The index by due time must not be used here, as the query would then sort the whole queue.
  const [notBefore, startsAt] = [unindexed("not_before"), unindexed("starts_at")];
  return sql`(${notBefore} <= ${now} OR ${notBefore} > ${now + LONGEST_WAIT_MS})
    AND (${startsAt} IS NULL OR ${startsAt} <= ${now} OR EXISTS (
      SELECT 1 FROM jobs WHERE jobs.job_id = downloads.job_id AND ${beginsLater(now)}))`;
}

/**
 * Returns a condition that a job's `spread_from` lies in the future. A job gets the current time as its
 * `spread_from`. So the clock was set back since then, and the downloads of the job are due at once. A time
 * up to a minute ahead does not count, as the clocks of servers differ.
 */
function beginsLater(now: number): Statement {
  return sql`jobs.spread_from > ${now + LONGEST_WAIT_MS}`;
}

/**
 * Returns a query for the number of each client's running downloads, counted separately for each job, and for
 * downloads without a job.
 * @param owner lease of this server, whose downloads are also counted as `own`; null: there is only one
 *   server, so all count as `own`
 */
export function activeLines(owner: string | null): Statement {
  return sql`
    SELECT client_id, job_id AS line, COUNT(*) AS active,
      ${owner === null ? sql`COUNT(*)` : sql`SUM(CASE WHEN owner = ${owner} THEN 1 ELSE 0 END)`} AS own
    FROM downloads
    WHERE status IN ('downloading', 'verifying')
    GROUP BY client_id, job_id`;
}

/**
 * Returns a query for the lines of the queue in which a client has due downloads. A line is a job's id, or
 * null for downloads without a job.
 */
export function waitingFor(clientId: string, now: number): Statement {
  return sql`
    SELECT DISTINCT client_id, job_id AS line FROM downloads
    WHERE client_id = ${clientId} AND status = 'queued' AND ${isDue(now)}`;
}

/**
 * Returns a query for the clients with downloads that became due between two times, and the jobs of these
 * downloads. A due time further ahead than the longest wait counts as reached, as it means that the clock was
 * set back.
 * @param after start of the span, in ms since 1970; 0: all due downloads count
 * @param now end of the span
 */
export function dueSince(after: number, now: number): Statement {
  const byDueTime = indexed("downloads", "downloads_by_due_time");
  const byStart = indexed("downloads", "downloads_by_start");
  return sql`
    SELECT client_id, job_id AS line FROM ${byDueTime}
      WHERE status = 'queued' AND not_before > ${after} AND not_before <= ${now}
    UNION SELECT client_id, job_id FROM ${byDueTime}
      WHERE status = 'queued' AND not_before > ${now + LONGEST_WAIT_MS}
    UNION SELECT client_id, job_id FROM ${byStart}
      WHERE status = 'queued' AND starts_at IS NOT NULL
        AND starts_at > ${after} AND starts_at <= ${now}
    ${after === 0 ? sql`UNION ${delayedByClock(now)}` : sql``}`;
}

/**
 * Returns a query for the clients and jobs of queued downloads that would start too late, because the clock
 * was set back after the job spread the starts over time.
 */
function delayedByClock(now: number): Statement {
  return sql`
    SELECT client_id, job_id FROM ${DOWNLOADS_OF_JOB}
    WHERE ${IS_NEWEST} AND status = 'queued' AND job_id IN (
      SELECT job_id FROM jobs WHERE status IN ('running', 'paused') AND ${beginsLater(now)})`;
}

/**
 * Returns a query for two times, in two rows: the next due time of a queued download, and the next start time
 * that a job gave to a queued download. A time is null if there is none.
 */
export function nextDueAfter(now: number): Statement {
  // Each part of the query reads only the first index entry after `now`, not the whole queue.
  return sql`
    SELECT MIN(not_before) AS due FROM ${indexed("downloads", "downloads_by_due_time")}
    WHERE status = 'queued' AND not_before > ${now}
    UNION ALL SELECT MIN(starts_at) FROM ${indexed("downloads", "downloads_by_start")}
    WHERE status = 'queued' AND starts_at IS NOT NULL AND starts_at > ${now}`;
}
