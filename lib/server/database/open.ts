import { UsageError } from "../../util/flags.ts";
import type { Logger } from "../../util/logger.ts";
import type { SqlDatabase } from "./database.ts";
import { openPostgres } from "./postgres.ts";
import { openSqlite } from "./sqlite.ts";

/**
 * Opens the database of a URL: a SQLite file, which is made if it does not exist, or a database in
 * Postgres.
 * @param options `busyTimeoutMs`: how long a SQLite statement waits while another program writes; `logger`:
 *   records when the database goes away and comes back
 * @throws UsageError when the URL is wrong
 * @throws Away when the database does not answer
 * @throws Error when it cannot be used; it is left unchanged
 */
export async function openDatabase(
  databaseUrl: string,
  { busyTimeoutMs, logger }: { busyTimeoutMs?: number; logger?: Logger } = {},
): Promise<SqlDatabase> {
  return engineOf(databaseUrl) === "sqlite"
    ? openSqlite(databaseUrl, busyTimeoutMs)
    : openPostgres(databaseUrl, logger);
}

/** The engine of a database's URL. @throws UsageError when the URL is wrong */
export function engineOf(databaseUrl: string): "sqlite" | "postgres" {
  if (databaseUrl.startsWith("sqlite:")) return "sqlite";
  if (/^postgres(?:ql)?:\/\//.test(databaseUrl) && URL.canParse(databaseUrl)) return "postgres";
  // Only the scheme is shown, as the rest often contains a password.
  const shown = databaseUrl.replace(/:.*/s, "://…");
  throw new UsageError(
    `DATABASE_URL is "${shown}", expected "sqlite://PATH" or "postgres://USER:PASSWORD@HOST/NAME"`,
  );
}
