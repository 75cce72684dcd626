import { Database } from "bun:sqlite";
import { systemCode } from "../../util/system-error.ts";

/** The collector closes a database that nobody refers to, and its lock would be gone. */
const held = new Set<Database>();

/**
 * Keeps every other server, of this process too, out of a folder, or those that do not share it. The lock is SQLite's on an open
 * file, so the kernel lets go of it however this process ends. Nobody else may open the lock file
 * in this process: closing it would let go as well (POSIX locks belong to the process).
 * @param folder for the message
 * @param isShared whether others that say the same may have it too
 * @returns lets go of it
 * @throws Error that names the folder
 */
export function lockFolder(folder: string, lockFile: string, isShared = false): () => void {
  let database: Database | undefined;
  try {
    database = new Database(lockFile);
    database.run("PRAGMA journal_mode = MEMORY"); // or a journal would lie beside the lock
    if (isShared) holdShared(database);
    else database.run("BEGIN EXCLUSIVE");
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

/** A transaction that has read something keeps out those that want to write. */
function holdShared(database: Database): void {
  database.run("BEGIN");
  const reading = database.prepare("SELECT COUNT(*) FROM sqlite_master");
  reading.get();
  // What is not finalized would keep the lock beyond the end.
  reading.finalize();
}
