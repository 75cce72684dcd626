import { UsageError } from "../../util/flags.ts";
import type { Logger } from "../../util/logger.ts";
import type { SqlDatabase } from "./database.ts";
import { openPostgres } from "./postgres.ts";
import { openSqlite } from "./sqlite.ts";

/**
 * Opens a database by its URL: a file of SQLite, which is made if it is not there, or a database in
 * Postgres.
 * @param options `busyTimeoutMs` how long a statement waits while another program writes, in SQLite;
 *   `logger` hears when the database goes away and comes back
 * @throws UsageError when it is no such URL
 * @throws Away when it does not answer
 * @throws Error when the database cannot be used as it is; it is left as it was
 */
export async function openDatabase(
  databaseUrl: string,
  { busyTimeoutMs, logger }: { busyTimeoutMs?: number; logger?: Logger } = {},
): Promise<SqlDatabase> {
  return engineOf(databaseUrl) === "sqlite"
    ? openSqlite(databaseUrl, busyTimeoutMs)
    : openPostgres(databaseUrl, logger);
}

/** What a database's URL is of. @throws UsageError when it is no such URL */
export function engineOf(databaseUrl: string): "sqlite" | "postgres" {
  if (databaseUrl.startsWith("sqlite:")) return "sqlite";
  if (/^postgres(?:ql)?:\/\//.test(databaseUrl) && URL.canParse(databaseUrl)) return "postgres";
  // Only the scheme is shown: what follows often holds a password.
  const shown = databaseUrl.replace(/:.*/s, "://…");
  throw new UsageError(
    `DATABASE_URL is "${shown}", expected "sqlite://PATH" or "postgres://USER:PASSWORD@HOST/NAME"`,
  );
}
