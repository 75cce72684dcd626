import type { Statement } from "./statement.ts";

/** Another row has the same value in a unique column. */
export class UniqueViolation extends Error {
  override name = "UniqueViolation";
}

/** The disk of the database is full. */
export class DatabaseFull extends Error {
  override name = "DatabaseFull";
}

/** Notifications between servers that share a database. */
export interface Wire {
  /** Notifies all of them. Notifications may be lost. */
  notify(text: string): Promise<void>;
  /**
   * @param ended called when the connection is lost, unless it was stopped from here
   * @returns a function that stops it
   */
  listen(hear: (text: string) => void, ended: () => void): Promise<() => Promise<void>>;
}

/** A database with SQL. Rows have their columns' names in camelCase. */
export interface SqlDatabase {
  /**
   * Runs a statement that reads, or whose change a power cut may undo.
   * @throws UniqueViolation, DatabaseFull
   */
  run<Row>(statement: Statement): Promise<Row[]>;
  /**
   * Resolves when all changes before the call survive a power cut.
   * @throws Error when that is not sure; nothing but a power cut can undo them
   */
  flush(): Promise<void>;
  /** Runs a statement, and resolves when its change survives a power cut. */
  keep<Row>(statement: Statement): Promise<Row[]>;
  /** Asks whether the database answers. While it does not, statements wait. */
  isThere(): Promise<boolean>;
  /** Whether a statement has been waiting for a while. */
  readonly isAway: boolean;
  /** null: the database serves only one server. */
  readonly wire: Wire | null;
  close(): Promise<void>;
}
