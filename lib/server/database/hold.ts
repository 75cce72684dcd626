import { mkdir, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { lockOut } from "../../util/lock.ts";
import { engineOf } from "./open.ts";
import { pathOf } from "./sqlite.ts";

/**
 * Locks a SQLite database until this process ends, so that no other server can use it. A Postgres database is
 * not locked, as several servers may use it. Must be called before the database is opened, as opening the
 * database may change it.
 * @throws UsageError if the text is not the URL of a database
 * @throws Error if another server uses the database
 */
export async function holdDatabase(databaseUrl: string): Promise<void> {
  if (engineOf(databaseUrl) === "postgres") return;
  const path = pathOf(databaseUrl);
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Uses the real path, so that all paths to the same file lead to the same lock.
  const actualPath =
    (await realpath(path).catch(() => null)) ?? join(await realpath(folder), basename(path));
  lockOut(path, join(dirname(actualPath), `.${basename(actualPath)}.lock`));
}
