import { mkdir, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { lockOut } from "../../util/lock.ts";
import { engineOf } from "./open.ts";
import { pathOf } from "./sqlite.ts";

/**
 * Keeps every other server out of a database that is one server's alone, a file of SQLite, until this
 * process ends. Called before the database is opened, as that may change it.
 * @throws UsageError when it is no URL of a database
 * @throws Error when another server has it
 */
export async function holdDatabase(databaseUrl: string): Promise<void> {
  if (engineOf(databaseUrl) === "postgres") return;
  const path = pathOf(databaseUrl);
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Another way to the same file leads to the same lock.
  const real =
    (await realpath(path).catch(() => null)) ?? join(await realpath(folder), basename(path));
  lockOut(path, join(dirname(real), `.${basename(real)}.lock`));
}
