import { Database } from "bun:sqlite";
import { stat } from "node:fs/promises";
import { LATEST_VERSION, refuseNewer } from "./migrations.ts";
import { engineOf } from "./open.ts";
import { VERSION_QUERY as POSTGRES_VERSION_QUERY } from "./postgres-migrations.ts";
import { PostgresPool } from "./postgres-pool.ts";
import { pathOf, reasonOf } from "./sqlite.ts";

/**
 * Size in bytes up to which a SQLite file is checked for damage. Checking a larger file would take too long.
 */
const MAX_CHECKED_BYTES = 64 * 1024 * 1024;

/** The result of inspecting a database without changing it. */
export interface DatabaseState {
  /** Path of the file, or host and name of the Postgres database, without the password. */
  place: string;
  /** Version of the database's schema; null: the database is empty, or the SQLite file does not exist. */
  version: number | null;
  /** Version of the schema that this program needs. */
  latest: number;
  /** Time of the database's clock, in ms since 1970; null: a SQLite database has no clock of its own. */
  now: number | null;
}

/**
 * Inspects a database without changing it.
 * @throws UsageError if the URL is wrong
 * @throws Error if the database cannot be used, or a Postgres database does not exist
 */
export async function lookAtDatabase(databaseUrl: string): Promise<DatabaseState> {
  if (engineOf(databaseUrl) === "postgres") return lookAtPostgres(databaseUrl);
  const state = await lookAtFile(pathOf(databaseUrl));
  if (state.version !== null) refuseNewer(state.version);
  return state;
}

const SQLITE_VERSION_QUERY = "SELECT MAX(version) AS version FROM schema_version";

const POSTGRES_STATE_QUERY =
  "SELECT extract(epoch FROM now()) * 1000 AS now, (to_regclass('schema_version') IS NOT NULL)::int AS made";

async function lookAtFile(path: string): Promise<DatabaseState> {
  const common = { place: `"${path}"`, latest: LATEST_VERSION, now: null };
  const found = await stat(path).catch(() => null);
  if (!found || found.size === 0) return { ...common, version: null };
  try {
    using database = new Database(path, { readonly: true });
    database.run("PRAGMA busy_timeout = 1000");
    if (found.size <= MAX_CHECKED_BYTES) {
      const [[check] = []] = database.prepare("PRAGMA quick_check(1)").values();
      if (check !== "ok") throw new Error("it is damaged");
    }
    const row = database.query<{ version: number | null }, []>(SQLITE_VERSION_QUERY).get();
    return { ...common, version: row?.version ?? null };
  } catch (error) {
    throw new Error(`"${path}" cannot be used: ${reasonOf(error)}`, { cause: error });
  }
}

async function lookAtPostgres(databaseUrl: string): Promise<DatabaseState> {
  const { host, pathname } = new URL(databaseUrl);
  const pool = new PostgresPool(databaseUrl);
  try {
    return await pool.use(async (connection) => {
      const [found] = await connection.query(POSTGRES_STATE_QUERY);
      const [row] =
        Number(found?.["made"]) === 1 ? await connection.query(POSTGRES_VERSION_QUERY) : [];
      const version = row === undefined ? null : Number(row["version"]);
      if (row !== undefined) refuseNewer(Number(row["version"]), Number(row["usable_from"]));
      const place = `"${host}${pathname}"`;
      return { place, latest: LATEST_VERSION, version, now: Number(found?.["now"]) };
    });
  } finally {
    await pool.close();
  }
}
