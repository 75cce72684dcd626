import { LONGEST_WAIT_MS } from "../transition.ts";
import type { Limits } from "./repository.ts";
import { activeOf, indexed, nextRevision, skipTaken, unindexed } from "./engines.ts";
import { sql, type Statement } from "./statement.ts";

/** A client for which downloads wait. */
export interface WaitingClient {
  clientId: string;
  /** When the first and the last of its downloads are due, ms since 1970. */
  earliest: number;
  latest: number;
}

/** Takes the oldest download of a client that is due, where the limits allow one more. */
export function claimOf(clientId: string, limits: Limits, now: number): Statement {
  // By due time it would sort the whole queue.
  const notBefore = unindexed("not_before");
  return sql`
    UPDATE downloads SET
      status = 'downloading', started_at = COALESCE(started_at, ${now}),
      attempts = attempts + 1, epoch = epoch + 1, revision = ${nextRevision()},
      not_before = NULL, problem_code = NULL, problem_message = NULL
    WHERE status = 'queued'
      AND download_id = (
        SELECT download_id FROM downloads
        WHERE client_id = ${clientId} AND status = 'queued'
          AND (${notBefore} <= ${now} OR ${notBefore} > ${now + LONGEST_WAIT_MS})
          AND ${limits.perClient} > ${activeOf(clientId)}
          AND ${limits.total} > (
            SELECT COUNT(*) FROM downloads WHERE status IN ('downloading', 'verifying'))
        ORDER BY download_id
        LIMIT 1 ${skipTaken()})
    RETURNING *`;
}

/** The next clients for which a download waits, by id: a {@link WaitingClient} each. */
export function waitingClients(after: string, limit: number): Statement {
  // From one client to the next by the index, which SQLite has to be told: left to itself it takes
  // the one by status, and reads the whole queue.
  const waiting = indexed("downloads", "downloads_waiting");
  return sql`
    WITH RECURSIVE waiting (client_id, nth) AS (
      SELECT MIN(client_id), 1 FROM ${waiting} WHERE status = 'queued' AND client_id > ${after}
      UNION ALL
      SELECT (SELECT MIN(client_id) FROM ${waiting}
              WHERE status = 'queued' AND client_id > waiting.client_id), nth + 1
      FROM waiting WHERE client_id IS NOT NULL AND nth < ${limit}
    )
    SELECT client_id,
      (SELECT MIN(not_before) FROM ${waiting}
       WHERE status = 'queued' AND client_id = waiting.client_id) AS earliest,
      (SELECT MAX(not_before) FROM ${waiting}
       WHERE status = 'queued' AND client_id = waiting.client_id) AS latest
    FROM waiting WHERE client_id IS NOT NULL`;
}

/** Whether one of the downloads of a client is due, also after the clock was put back. */
export function isDue({ earliest, latest }: WaitingClient, now: number): boolean {
  return Number(earliest) <= now || Number(latest) > now + LONGEST_WAIT_MS;
}

/** When the next download becomes due after a time: `due`, or null. */
export function nextDueAfter(now: number): Statement {
  // As above: the first entry of this index behind the time, and not the whole queue.
  return sql`
    SELECT MIN(not_before) AS due FROM ${indexed("downloads", "downloads_by_due_time")}
    WHERE status = 'queued' AND not_before > ${now}`;
}
