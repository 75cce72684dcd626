import type { Statement } from "./statement.ts";

/** Thrown if another row has the same value in a unique column. */
export class UniqueViolation extends Error {
  override name = "UniqueViolation";
}

/** Thrown if the disk of the database is full. */
export class DatabaseFull extends Error {
  override name = "DatabaseFull";
}

/** Sends and receives notifications between servers that share a database. */
export interface Wire {
  /** Notifies all servers, including this one. Notifications may be lost. */
  notify(text: string): Promise<void>;
  /**
   * Listens for notifications.
   * @param onLost called when the connection is lost, except after a call of the returned function
   * @returns a function that stops listening
   */
  listen(onMessage: (text: string) => void, onLost: () => void): Promise<() => Promise<void>>;
}

/** An SQL database. The fields of rows are the names of columns in camelCase. */
export interface SqlDatabase {
  /**
   * Runs a statement. If it changes rows, a power cut may undo the change, until a later call of
   * {@link flush} has resolved.
   * @throws UniqueViolation, DatabaseFull
   */
  run<Row>(statement: Statement): Promise<Row[]>;
  /**
   * Resolves when all changes that were made before the call survive a power cut.
   * @throws Error if this is not certain; even then, only a power cut can undo the changes
   */
  flush(): Promise<void>;
  /** Runs a statement, and resolves when its change survives a power cut. */
  runDurably<Row>(statement: Statement): Promise<Row[]>;
  /** Reports whether the database answers. If it does not, statements wait. */
  isThere(): Promise<boolean>;
  /** Whether statements have been waiting for an unreachable database for about a second. */
  readonly isAway: boolean;
  /** Notifications between servers; null: the database can be used by one server only. */
  readonly wire: Wire | null;
  close(): Promise<void>;
}
