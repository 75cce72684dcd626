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
 * @throws Error when the database cannot be used as it is; it is left as it was
 */
export async function openDatabase(
  databaseUrl: string,
  { busyTimeoutMs, logger }: { busyTimeoutMs?: number; logger?: Logger } = {},
): Promise<SqlDatabase> {
  if (databaseUrl.startsWith("sqlite:")) return openSqlite(databaseUrl, busyTimeoutMs);
  if (/^postgres(?:ql)?:\/\//.test(databaseUrl) && URL.canParse(databaseUrl)) {
    return openPostgres(databaseUrl, logger);
  }
  // Only the scheme is shown: what follows often holds a password.
  const shown = databaseUrl.replace(/:.*/s, "://…");
  throw new UsageError(
    `DATABASE_URL is "${shown}", expected "sqlite://PATH" or "postgres://USER:PASSWORD@HOST/NAME"`,
  );
}
