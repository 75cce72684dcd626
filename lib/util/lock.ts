import { Database } from "bun:sqlite";
import { systemCode } from "./system-error.ts";

/**
 * Databases that hold locks. Without a reference, the garbage collector would close them and release the
 * lock.
 */
const held = new Set<Database>();

/**
 * Locks a folder or a file against all other servers, including those of this process, or against those
 * that do not share it. It is SQLite's lock on an open file, so the kernel releases it however this process
 * ends. Nothing else in this process may open the lock file: closing it would release the lock (POSIX locks
 * belong to the process).
 * @param what the folder or the file, for the message
 * @param isShared whether others that share it may hold the lock too
 * @returns a function that releases it
 * @throws Error that names it
 */
export function lockOut(what: string, lockFile: string, isShared = false): () => void {
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
      ? new Error(`another server already uses "${what}"`, { cause })
      : new Error(`cannot lock "${what}": ${code ?? String(cause)}`, { cause });
  }
  const holder = database;
  held.add(holder);
  return () => {
    held.delete(holder);
    holder.close();
  };
}

/** Takes a shared lock: an open transaction that has read something keeps out all writers. */
function holdShared(database: Database): void {
  database.run("BEGIN");
  const reading = database.prepare("SELECT COUNT(*) FROM sqlite_master");
  reading.get();
  // An open statement would keep the lock beyond the end.
  reading.finalize();
}
