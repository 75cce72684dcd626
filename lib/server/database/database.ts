import type { Statement } from "./statement.ts";

/** A database that speaks SQL. Rows come with the names of their columns in camelCase. */
export interface SqlDatabase {
  /** Runs a statement that reads, or whose change a power cut may take back. */
  run<Row>(statement: Statement): Promise<Row[]>;
  /**
   * Resolves when every change before the call outlives a power cut.
   * @throws Error when one may not; it holds all the same as long as the power stays
   */
  flush(): Promise<void>;
  /** Runs a statement whose change outlives a power cut once it resolves. */
  keep<Row>(statement: Statement): Promise<Row[]>;
  close(): Promise<void>;
}
