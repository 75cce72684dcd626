import { Database, SQLiteError, type Statement as Prepared } from "bun:sqlite";
import { mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { UsageError } from "../../util/flags.ts";
import { Checkpoints } from "./checkpoints.ts";
import { DatabaseFull, type SqlDatabase, UniqueViolation } from "./database.ts";
import { migrate } from "./migrations.ts";
import { fieldOf, type Statement, type Value } from "./statement.ts";
import { WriteAheadLog } from "./write-ahead-log.ts";

/**
 * Opens a SQLite database, which is created if it does not exist, and migrates it to the version of the
 * schema that this program needs.
 * @param databaseUrl `sqlite:///absolute/path.db` or `sqlite://./relative/path.db`
 * @param busyTimeoutMs how long a statement waits while another program writes, in ms; the event loop is
 *   blocked meanwhile
 * @throws UsageError if the URL is wrong
 * @throws Error if the database is damaged, locked by another program, or made by a newer version of this
 *   program; it is not changed then
 */
export async function openSqlite(databaseUrl: string, busyTimeoutMs = 5_000): Promise<SqlDatabase> {
  const path = pathOf(databaseUrl);
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // Creates the file with mode 600. SQLite gives its log and other files the same mode.
    await (await open(path, "a", 0o600)).close();
    const database = new Database(path);
    try {
      prepare(database, busyTimeoutMs);
      const log = await WriteAheadLog.open(`${path}-wal`, () => emptyLog(database));
      return new SqliteDatabase(database, log, new Checkpoints(path));
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    throw new Error(`cannot open the database "${path}": ${reasonOf(error)}`, { cause: error });
  }
}

/** Limit on the prepared statements that are kept. Filters of lists make many different statements. */
const MAX_PREPARED = 200;

interface PreparedStatement {
  prepared: Prepared<unknown, Value[]>;
  /** Names of a row's fields, in the order of its columns. */
  fields: string[];
}

/** Reports whether a statement changes nothing, so that it need not wait for a checkpoint. */
export function isRead(text: string): boolean {
  return /^\s*(?:SELECT\b|WITH\b(?![^]*\b(?:INSERT|UPDATE|DELETE)\b))/.test(text);
}

/**
 * A SQLite database. Each statement runs synchronously on the event loop, which usually takes microseconds,
 * and flushes nothing.
 */
class SqliteDatabase implements SqlDatabase {
  readonly wire = null;
  /** Prepared statements, least recently used first. The key is the text of the statement. */
  readonly #prepared = new Map<string, PreparedStatement>();

  constructor(
    private readonly database: Database,
    private readonly log: WriteAheadLog,
    private readonly checkpoints: Checkpoints,
  ) {}

  async run<Row>(statement: Statement): Promise<Row[]> {
    const text = statement.texts.join("?");
    const isChange = !isRead(text);
    const turn = isChange ? this.checkpoints.takeTurn() : undefined;
    if (turn) await turn;
    const { prepared, fields } = this.#prepare(text);
    const rows = valuesOf(prepared, statement.values);
    if (isChange) this.checkpoints.noteChange();
    return rows.map((values) => {
      const row: Record<string, unknown> = {};
      for (const [index, field] of fields.entries()) row[field] = values[index];
      return row as Row;
    });
  }

  async runDurably<Row>(statement: Statement): Promise<Row[]> {
    const rows = await this.run<Row>(statement);
    await this.flush();
    return rows;
  }

  flush(): Promise<void> {
    return this.log.flush();
  }

  get isAway(): boolean {
    return false;
  }

  async isThere(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    await this.checkpoints.close();
    for (const { prepared } of this.#prepared.values()) prepared.finalize();
    this.database.close(true);
    await this.log.close();
  }

  #prepare(text: string): PreparedStatement {
    let statement = this.#prepared.get(text);
    if (statement) {
      this.#prepared.delete(text);
    } else {
      const prepared = this.database.prepare<unknown, Value[]>(text);
      statement = { prepared, fields: prepared.columnNames.map(fieldOf) };
    }
    this.#prepared.set(text, statement);
    const [oldest] = this.#prepared;
    if (this.#prepared.size > MAX_PREPARED && oldest) {
      this.#prepared.delete(oldest[0]);
      oldest[1].prepared.finalize();
    }
    return statement;
  }
}

function valuesOf(prepared: Prepared<unknown, Value[]>, values: readonly Value[]): unknown[][] {
  try {
    return prepared.values(...values);
  } catch (error) {
    throw translated(error);
  }
}

/** Returns the path in the URL of a SQLite database. @throws UsageError if the URL is wrong */
export function pathOf(databaseUrl: string): string {
  // Refuses a "?", as Bun would cut the path there. Also refuses `:memory:`, as its rows would be lost when
  // the process ends.
  const [, path] = /^sqlite:\/\/(?!:memory:$)([^?]+)$/.exec(databaseUrl) ?? [];
  if (path !== undefined) return resolve(path);
  throw new UsageError(
    `DATABASE_URL is "${databaseUrl}", expected "sqlite://PATH", the path of a file and without a "?"`,
  );
}

function prepare(database: Database, busyTimeoutMs: number): void {
  database.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
  // Checked before the first write, so that a damaged file is not changed.
  const [[check] = []] = database.prepare("PRAGMA quick_check(1)").values();
  if (check !== "ok") throw new Error("it is damaged", { cause: check });
  database.run("PRAGMA journal_mode = WAL");
  // The database stays intact after a power cut. A commit survives the power cut if the log was flushed after
  // the commit.
  database.run("PRAGMA synchronous = NORMAL");
  database.run(`PRAGMA wal_autocheckpoint = ${MAX_LOG_PAGES}`);
  migrate(database);
  // Skips revisions. Readers of events may know revisions that a power cut undid, so these must not be used
  // again.
  database.run(
    `UPDATE downloads SET revision = revision + ${SKIPPED_REVISIONS}
    WHERE revision = (SELECT MAX(revision) FROM downloads)`,
  );
}

/**
 * Size of the log, in pages of 4 KiB, at which SQLite itself moves it to the database, blocking the event
 * loop. This only happens if {@link Checkpoints} failed for a long time.
 */
const MAX_LOG_PAGES = 64_000;

/**
 * Number of revisions that are skipped at each start. A power cut can undo only changes that are in the log.
 * The log holds fewer changes than this, as each change takes at least one of its pages.
 */
const SKIPPED_REVISIONS = 1_000_000;

/**
 * Moves all of the log to the database file, and empties it.
 * @throws Error if another program still reads from the log
 */
function emptyLog(database: Database): void {
  const [[busy] = []] = database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").values();
  if (busy !== 0) throw new Error("the log is in use");
}

/** Returns why a database cannot be used, as a sentence for people. */
export function reasonOf(error: unknown): string {
  const code = error instanceof SQLiteError ? (error.code ?? "") : "";
  if (code === "SQLITE_NOTADB") return "it is not a database";
  if (code.startsWith("SQLITE_CORRUPT")) return "it is damaged";
  if (code.startsWith("SQLITE_BUSY")) return "it is locked by another program";
  return error instanceof Error ? error.message : String(error);
}

/**
 * Converts an error of SQLite to an error class that does not depend on the engine, if there is such a class.
 * Other errors are returned unchanged.
 */
function translated(error: unknown): unknown {
  const { code, message } = error instanceof SQLiteError ? error : {};
  if (code === "SQLITE_FULL") return new DatabaseFull(message, { cause: error });
  if (code === "SQLITE_CONSTRAINT_UNIQUE") return new UniqueViolation(message, { cause: error });
  return error;
}
