import { Database } from "bun:sqlite";
import { systemCode } from "./system-error.ts";

/**
 * The lock files that this process holds open, as SQLite databases. Without this set, the garbage collector
 * would close the databases, and so release the locks.
 */
const heldLocks = new Set<Database>();

/**
 * Takes a lock, so that no other server uses the same folder or file. It is the lock of an SQLite database,
 * and the kernel releases it however this process ends. No other code of this process may open the lock file:
 * closing the file would release the lock, as POSIX locks belong to the process.
 * @param what the folder or file that the lock protects, for the error message
 * @param lockFile path of the SQLite database to lock; created if missing
 * @param isShared true takes a shared lock, which several servers can hold at once; false an exclusive one
 * @returns a function that releases the lock
 * @throws Error that names `what`, if another server holds the lock or the lock file cannot be opened
 */
export function lockOut(what: string, lockFile: string, isShared = false): () => void {
  let database: Database | undefined;
  try {
    database = new Database(lockFile);
    // In this mode, SQLite makes no journal file beside the lock file.
    database.run("PRAGMA journal_mode = MEMORY");
    if (isShared) holdShared(database);
    else database.run("BEGIN EXCLUSIVE");
  } catch (cause) {
    database?.close();
    const code = systemCode(cause);
    throw code === "SQLITE_BUSY"
      ? new Error(`another server already uses "${what}"`, { cause })
      : new Error(`cannot lock "${what}": ${code ?? String(cause)}`, { cause });
  }
  const lock = database;
  heldLocks.add(lock);
  return () => {
    heldLocks.delete(lock);
    lock.close();
  };
}

/** Takes a shared lock on an SQLite database. An open transaction that has read keeps all writers out. */
function holdShared(database: Database): void {
  database.run("BEGIN");
  const query = database.prepare("SELECT COUNT(*) FROM sqlite_master");
  query.get();
  // A statement that is not finalized would keep the lock after the database is closed.
  query.finalize();
}
