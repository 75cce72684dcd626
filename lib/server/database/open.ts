import { UsageError } from "../../util/flags.ts";
import type { Logger } from "../../util/logger.ts";
import type { SqlDatabase } from "./database.ts";
import { openPostgres } from "./postgres.ts";
import { openSqlite } from "./sqlite.ts";

/**
 * Opens the database of a URL: a SQLite file, which is created if it does not exist, or a Postgres database.
 * @param options `busyTimeoutMs`: how long a SQLite statement waits while another program writes, in ms;
 *   `logger`: logs when Postgres stops answering, and when it answers again
 * @throws UsageError if the URL is wrong
 * @throws Away if the database does not answer
 * @throws Error if the database cannot be used; it is not changed then
 */
export async function openDatabase(
  databaseUrl: string,
  { busyTimeoutMs, logger }: { busyTimeoutMs?: number; logger?: Logger } = {},
): Promise<SqlDatabase> {
  return engineOf(databaseUrl) === "sqlite"
    ? openSqlite(databaseUrl, busyTimeoutMs)
    : openPostgres(databaseUrl, logger);
}

/** Returns the engine of a database's URL. @throws UsageError if the URL is wrong */
export function engineOf(databaseUrl: string): "sqlite" | "postgres" {
  if (databaseUrl.startsWith("sqlite:")) return "sqlite";
  if (/^postgres(?:ql)?:\/\//.test(databaseUrl) && URL.canParse(databaseUrl)) return "postgres";
  // Shows only the scheme of the URL, as the rest often contains a password.
  const shown = databaseUrl.replace(/:.*/s, "://…");
  throw new UsageError(
    `DATABASE_URL is "${shown}", expected "sqlite://PATH" or "postgres://USER:PASSWORD@HOST/NAME"`,
  );
}
