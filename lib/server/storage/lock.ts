import { Database } from "bun:sqlite";
import { systemCode } from "../../util/system-error.ts";

/** The collector closes a database that nobody refers to, and its lock would be gone. */
const held = new Set<Database>();

/**
 * Keeps every other server, of this process too, out of a folder. The lock is SQLite's on an open
 * file, so the kernel lets go of it however this process ends. Nobody else may open the lock file
 * in this process: closing it would let go as well (POSIX locks belong to the process).
 * @param folder for the message
 * @returns lets go of it
 * @throws Error that names the folder
 */
export function lockFolder(folder: string, lockFile: string): () => void {
  let database: Database | undefined;
  try {
    database = new Database(lockFile);
    database.run("PRAGMA journal_mode = MEMORY"); // or a journal would lie beside the lock
    database.run("BEGIN EXCLUSIVE");
  } catch (cause) {
    database?.close();
    const code = systemCode(cause);
    throw code === "SQLITE_BUSY"
      ? new Error(`another server already uses "${folder}"`, { cause })
      : new Error(`cannot lock "${folder}": ${code ?? String(cause)}`, { cause });
  }
  const holder = database;
  held.add(holder);
  return () => {
    held.delete(holder);
    holder.close();
  };
}
