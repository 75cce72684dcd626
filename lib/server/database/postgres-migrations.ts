import { changesTo, LATEST_VERSION, refuseNewer } from "./migrations.ts";
import type { PostgresConnection } from "./postgres-connection.ts";

/** Number of the advisory lock for migrations. All programs that use a database share it. */
const MIGRATIONS_LOCK = "7305803161";

/** Query for the version of a database's schema, and the version of the oldest program that may use it. */
export const VERSION_QUERY = `
  SELECT version, COALESCE(CAST(to_jsonb(latest) ->> 'usable_from' AS BIGINT), version) AS usable_from
  FROM schema_version AS latest ORDER BY version DESC LIMIT 1`;

/**
 * Migrates a Postgres database to this program's version in a single transaction. If several servers start at
 * the same time, one migrates and the others wait. Servers of the previous version can still use the
 * database.
 * @throws Error, with nothing changed, if the database was made by a program that is newer by more than one
 *   version
 */
export async function migratePostgres(connection: PostgresConnection): Promise<void> {
  await connection.query("BEGIN");
  // No time limit, as the migration of another server may take long, and this one waits for it.
  await connection.query("SET LOCAL statement_timeout = 0");
  await connection.query("SET LOCAL lock_timeout = 0");
  await connection.queryWithoutTimeout(`SELECT pg_advisory_xact_lock(${MIGRATIONS_LOCK})`);
  await connection.query(
    "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL)",
  );
  const [latest] = await connection.query(VERSION_QUERY);
  const version = Number(latest?.["version"] ?? 0);
  refuseNewer(version, Number(latest?.["usable_from"] ?? 0));
  // Records the oldest program that may use each version. The first releases did not have this column.
  await connection.query("ALTER TABLE schema_version ADD COLUMN IF NOT EXISTS usable_from BIGINT");
  for (let next = version + 1; next <= LATEST_VERSION; next++) {
    for (const change of changesTo(next, "postgres"))
      await connection.queryWithoutTimeout(inPostgres(change));
    await connection.query(
      "INSERT INTO schema_version (version, applied_at, usable_from) VALUES ($1, $2, $3)",
      [next, Date.now(), next - 1],
    );
  }
  await connection.query("COMMIT");
}

/** Makes Postgres compare texts byte by byte, as SQLite does, whatever the language of the database. */
function inPostgres(change: string): string {
  return /^(?:CREATE|ALTER) TABLE/.test(change)
    ? change.replaceAll(/\bTEXT\b/g, 'TEXT COLLATE "C"')
    : change;
}
