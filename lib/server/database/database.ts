import type { Statement } from "./statement.ts";

/** Another row has the value of a unique column. */
export class UniqueViolation extends Error {
  override name = "UniqueViolation";
}

/** The disk of the database is full. */
export class DatabaseFull extends Error {
  override name = "DatabaseFull";
}

/** What servers that share a database tell each other. */
export interface Wire {
  /** Tells all of them; it may be lost. */
  notify(text: string): Promise<void>;
  /** @returns ends it */
  listen(hear: (text: string) => void): Promise<() => Promise<void>>;
}

/** A database that speaks SQL. Rows come with the names of their columns in camelCase. */
export interface SqlDatabase {
  /**
   * Runs a statement that reads, or whose change a power cut may take back.
   * @throws UniqueViolation, DatabaseFull
   */
  run<Row>(statement: Statement): Promise<Row[]>;
  /**
   * Resolves when every change before the call outlives a power cut.
   * @throws Error when one may not: a power cut may undo it, nothing else does
   */
  flush(): Promise<void>;
  /** Runs a statement whose change outlives a power cut once it resolves. */
  keep<Row>(statement: Statement): Promise<Row[]>;
  /** Asks whether it answers. While it does not, statements wait for it. */
  isThere(): Promise<boolean>;
  /** Whether a statement has waited for a while. */
  readonly isAway: boolean;
  /** null: it is one server's alone. */
  readonly wire: Wire | null;
  close(): Promise<void>;
}
