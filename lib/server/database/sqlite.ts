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
 * Opens the database, which is made if it does not exist, and brings it to this program's version.
 * @param databaseUrl `sqlite:///absolute/path.db` or `sqlite://./relative/path.db`
 * @param busyTimeoutMs how long a statement, and the event loop with it, waits while another program writes
 * @throws UsageError when the URL is wrong
 * @throws Error when the database cannot be used: it is damaged, locked by another program, or made by a
 *   newer one. It is left unchanged.
 */
export async function openSqlite(databaseUrl: string, busyTimeoutMs = 5_000): Promise<SqlDatabase> {
  const path = pathOf(databaseUrl);
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // SQLite gives its other files the same mode as this one.
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

/** Most prepared statements that are kept. With filters, one statement has many texts. */
const MAX_PREPARED = 200;

interface PreparedStatement {
  prepared: Prepared<unknown, Value[]>;
  /** Names of a row's fields. */
  fields: string[];
}

/** Start of a statement that only reads. */
const READS = /^\s*(?:SELECT|WITH)\b/;

/**
 * A SQLite database. Each statement runs synchronously on the event loop: it takes microseconds, and
 * flushes nothing.
 */
class SqliteDatabase implements SqlDatabase {
  readonly wire = null;
  /** By text, in the order of the last use. */
  readonly #prepared = new Map<string, PreparedStatement>();

  constructor(
    private readonly database: Database,
    private readonly log: WriteAheadLog,
    private readonly checkpoints: Checkpoints,
  ) {}

  async run<Row>(statement: Statement): Promise<Row[]> {
    const text = statement.texts.join("?");
    const isChange = !READS.test(text);
    const turn = isChange ? this.checkpoints.turn : undefined;
    if (turn) await turn;
    const { prepared, fields } = this.#prepare(text);
    const rows = valuesOf(prepared, statement.values);
    if (isChange) this.checkpoints.changed();
    return rows.map((values) => {
      const row: Record<string, unknown> = {};
      for (const [index, field] of fields.entries()) row[field] = values[index];
      return row as Row;
    });
  }

  async keep<Row>(statement: Statement): Promise<Row[]> {
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

/** The path in a URL. @throws UsageError when the URL is wrong */
export function pathOf(databaseUrl: string): string {
  // Bun would cut the path at a "?". Rows in memory would not survive the program.
  const [, path] = /^sqlite:\/\/(?!:memory:$)([^?]+)$/.exec(databaseUrl) ?? [];
  if (path !== undefined) return resolve(path);
  throw new UsageError(
    `DATABASE_URL is "${databaseUrl}", expected "sqlite://PATH", the path of a file and without a "?"`,
  );
}

function prepare(database: Database, busyTimeoutMs: number): void {
  database.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
  // Before the first write, so that a damaged file stays untouched.
  const [[check] = []] = database.prepare("PRAGMA quick_check(1)").values();
  if (check !== "ok") throw new Error("it is damaged", { cause: check });
  database.run("PRAGMA journal_mode = WAL");
  // The database stays intact, and a commit survives a power cut once the log is flushed.
  database.run("PRAGMA synchronous = NORMAL");
  database.run(`PRAGMA wal_autocheckpoint = ${LOG_PAGES}`);
  migrate(database);
  // Readers of events may know revisions that a power cut undid, so these are never used again.
  database.run(
    `UPDATE downloads SET revision = revision + ${LEAP}
    WHERE revision = (SELECT MAX(revision) FROM downloads)`,
  );
}

/**
 * Pages of 4 KiB after which SQLite itself moves the log, which holds the event loop. This only happens
 * where {@link Checkpoints} could not do it for long.
 */
const LOG_PAGES = 64_000;

/**
 * Revisions that are skipped at each start: more than a power cut can undo, as each takes a page of the
 * log.
 */
const LEAP = 1_000_000;

/** @throws Error when somebody else still reads from the log */
function emptyLog(database: Database): void {
  const [[busy] = []] = database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").values();
  if (busy !== 0) throw new Error("the log is in use");
}

/** Why a database cannot be used, for people. */
export function reasonOf(error: unknown): string {
  const code = error instanceof SQLiteError ? (error.code ?? "") : "";
  if (code === "SQLITE_NOTADB") return "it is not a database";
  if (code.startsWith("SQLITE_CORRUPT")) return "it is damaged";
  if (code.startsWith("SQLITE_BUSY")) return "it is locked by another program";
  return error instanceof Error ? error.message : String(error);
}

/** The general form of an error, if it has one; else the error itself. */
function translated(error: unknown): unknown {
  const { code, message } = error instanceof SQLiteError ? error : {};
  if (code === "SQLITE_FULL") return new DatabaseFull(message, { cause: error });
  if (code === "SQLITE_CONSTRAINT_UNIQUE") return new UniqueViolation(message, { cause: error });
  return error;
}
