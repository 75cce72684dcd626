import { tableOfIds } from "./engines.ts";
import { tableOfSites } from "./list-sql.ts";
import type { ClientFilter, RegisteredClient } from "./repository.ts";
import { toRegisteredRow } from "./rows.ts";
import { hasLabels } from "./selector-sql.ts";
import { assignments, insertion, list, perEngine, sql, type Statement } from "./statement.ts";

/**
 * How long a problem of a client, such as two machines with the same id, is shown, in ms. The server that
 * found the problem remembers it for the same time.
 */
const PROBLEM_MS = 150_000;

/**
 * Selects clients with their settings, except labels. In Postgres, also selects when the server to which a
 * client is connected last renewed its lease, and the problem of the client.
 */
export const CLIENTS = perEngine({
  sqlite: sql`
    SELECT clients.*, settings.time_zone FROM clients
    LEFT JOIN client_settings AS settings ON settings.client_id = clients.client_id`,
  postgres: () => sql`
    SELECT clients.*, settings.time_zone, holder.renewed_at AS held_at,
      CASE WHEN held.problem_at > now_ms() - ${PROBLEM_MS} THEN held.problem END AS held_problem
    FROM clients
    LEFT JOIN client_settings AS settings ON settings.client_id = clients.client_id
    LEFT JOIN client_sessions AS held ON held.client_id = clients.client_id
    LEFT JOIN servers AS holder
      ON holder.lease_id = held.lease_id AND holder.expires_at >= now_ms()`,
});

/**
 * Condition that a client is connected to any server, for use in statements that begin with {@link CLIENTS}.
 * Works only in Postgres.
 */
const IS_HELD = sql`(holder.lease_id IS NOT NULL)`;

/** Returns a query for the clients that pass a filter, sorted by id. */
export function clientsOf({ after, sites, ids, held, selector, limit }: ClientFilter): Statement {
  const isInSites = sites
    ? sql`AND clients.client_id IN (SELECT value FROM ${tableOfSites(sites)})`
    : sql``;
  const named = ids && sql`(SELECT value FROM ${tableOfIds(ids.ids)})`;
  const isNamed = named
    ? sql`AND clients.client_id ${ids.are === "in" ? sql`IN` : sql`NOT IN`} ${named}`
    : sql``;
  const isSelected = selector ? sql`AND ${hasLabels(selector, sql`clients.client_id`)}` : sql``;
  return sql`
    ${CLIENTS}
    WHERE clients.client_id > ${after ?? ""} ${isInSites} ${isNamed} ${isSelected}
      ${held === undefined ? sql`` : held ? sql`AND ${IS_HELD}` : sql`AND NOT ${IS_HELD}`}
    ORDER BY clients.client_id LIMIT ${limit}`;
}

/**
 * Returns a statement that writes the row of a client that registers. The statement returns the client's id
 * if the row was written.
 * @param replaces the known row of the client, whose key and revocation must still be the same; null: no row
 *   is known, so an existing row is not changed
 */
export function registrationOf(
  client: RegisteredClient,
  replaces: RegisteredClient | null,
): Statement {
  const row = toRegisteredRow(client);
  return sql`
    INSERT INTO clients ${insertion(row)}
    ON CONFLICT (client_id) DO UPDATE SET ${assignments(row)}
    WHERE clients.key_hash = ${replaces?.keyHash ?? null}
      AND clients.revoked_at IS NOT DISTINCT FROM ${replaces?.revokedAt ?? null}
    RETURNING client_id`;
}

/**
 * Returns a statement that records when clients were last seen. A later time that is already recorded is
 * kept.
 * @param lastSeen times in ms since 1970
 */
export function lastSeenUpdate(
  lastSeen: readonly (readonly [clientId: string, at: number])[],
): Statement {
  const rows = lastSeen.map(([clientId, at]) => sql`(${clientId}, CAST(${at} AS BIGINT))`);
  return sql`
    UPDATE clients SET last_seen_at = seen.column2 FROM (VALUES ${list(rows)}) AS seen
    WHERE client_id = seen.column1 AND last_seen_at < seen.column2`;
}
