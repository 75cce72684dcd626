import { fullJitter } from "../../util/backoff.ts";
import { Away } from "../../util/wait-until-there.ts";
import type { Logger } from "../../util/logger.ts";
import { DatabaseFull, type SqlDatabase, UniqueViolation, type Wire } from "./database.ts";
import { ConnectionLost, type RawRow, sqlStateOf } from "./postgres-connection.ts";
import { migratePostgres } from "./postgres-migrations.ts";
import { PostgresPool } from "./postgres-pool.ts";
import { MadeChanges } from "./postgres-made-changes.ts";
import { storable } from "./engines.ts";
import { wireOf } from "./postgres-wire.ts";
import { fieldOf, type Statement, type Value } from "./statement.ts";

/** First and longest delay before a statement is retried, in ms. */
const RETRY_MS = 50;
const LONGEST_RETRY_MS = 1_000;

/** Postgres counts as unreachable if no statement has succeeded for this time, in ms. */
const AWAY_MS = 1_000;

/** Time in ms within which Postgres must answer a check. */
const PATIENCE_MS = 2_000;

/**
 * Opens an existing Postgres database, and migrates it to the version of the schema that this program needs.
 * @param databaseUrl `postgres://user:password@host:port/name?sslmode=…`
 * @throws Away if Postgres does not answer; Error if the database cannot be used
 */
export async function openPostgres(databaseUrl: string, logger?: Logger): Promise<SqlDatabase> {
  const pool = new PostgresPool(databaseUrl);
  try {
    await pool.use(migratePostgres);
    const madeChanges = await MadeChanges.begin(pool);
    return new PostgresDatabase(pool, madeChanges, wireOf(databaseUrl, pool), logger);
  } catch (error) {
    await pool.close();
    const why = error instanceof Error ? error.message : String(error);
    const message = `cannot open the database "${withoutPassword(databaseUrl)}": ${why}`;
    const isAway = error instanceof ConnectionLost;
    throw new (isAway ? Away : Error)(message, { cause: error });
  }
}

/** Matches statements that change rows. */
const CHANGES = /\b(?:INSERT INTO|UPDATE|DELETE FROM)\b/;

/**
 * A Postgres database. Each statement is a transaction, and is on Postgres' disk once it is answered. While
 * Postgres is unreachable, statements wait. If a connection breaks during a change, it is not known whether
 * the change was made. So each change stores a mark with its result in the same transaction, and is repeated
 * only if there is no mark.
 */
class PostgresDatabase implements SqlDatabase {
  #closed = false;
  /** Since when no statement has succeeded, in ms of `performance.now`; null: the last one succeeded. */
  #awaySince: number | null = null;
  /** The running check of Postgres, which resolves when Postgres answers again; undefined: no check runs. */
  #checking: Promise<void> | undefined;
  /** Number of statements that failed and are being retried. */
  #waiting = 0;

  constructor(
    private readonly pool: PostgresPool,
    private readonly madeChanges: MadeChanges,
    readonly wire: Wire,
    private readonly logger: Logger | undefined,
  ) {}

  async run<Row>(statement: Statement): Promise<Row[]> {
    const { texts, values } = statement.forPostgres;
    const text = texts.reduce((before, after, n) => `${before}$${n}${after}`);
    const storableValues = values.map((value) =>
      typeof value === "string" ? storable(value) : value,
    );
    const rows = CHANGES.test(text)
      ? await this.#change(text, storableValues)
      : await this.#withRetries(() =>
          this.pool.use((connection) => connection.query(text, storableValues)),
        );
    return rows.map((row) => toRow<Row>(row));
  }

  runDurably<Row>(statement: Statement): Promise<Row[]> {
    return this.run(statement);
  }

  async flush(): Promise<void> {}

  get isAway(): boolean {
    const since = this.#awaySince;
    return this.#waiting > 0 && since !== null && performance.now() - since > AWAY_MS;
  }

  async isThere(): Promise<boolean> {
    const answer = this.pool.use((connection) => connection.query("SELECT 1"));
    const isThere = answer.then(
      () => true,
      () => false,
    );
    return Promise.race([isThere, Bun.sleep(PATIENCE_MS).then(() => false)]);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.madeChanges.forgetAll();
    await this.pool.close();
  }

  async #change(text: string, values: Value[]): Promise<RawRow[]> {
    const change = this.madeChanges.next();
    try {
      return await this.#withRetries((isRetry) => change.make(text, values, isRetry));
    } finally {
      change.forget();
    }
  }

  /** Runs a statement, and retries while Postgres is unreachable or locks conflict. */
  async #withRetries(work: (isRetry: boolean) => Promise<RawRow[]>): Promise<RawRow[]> {
    try {
      return await this.#attempt(() => work(false));
    } catch (error) {
      if (!this.#isTransient(error)) throw translated(error);
    }
    this.#waiting++;
    try {
      return await this.#retry(() => work(true));
    } finally {
      this.#waiting--;
    }
  }

  async #retry(work: () => Promise<RawRow[]>): Promise<RawRow[]> {
    for (let attempt = 0; ; attempt++) {
      if (this.#awaySince === null) await pauseBefore(attempt);
      else await this.#waitUntilBack();
      try {
        return await this.#attempt(work);
      } catch (error) {
        if (!this.#isTransient(error)) throw translated(error);
      }
    }
  }

  async #attempt(work: () => Promise<RawRow[]>): Promise<RawRow[]> {
    try {
      const rows = await work();
      this.#noteBack();
      return rows;
    } catch (error) {
      if (error instanceof ConnectionLost) this.#noteLost(error);
      throw error;
    }
  }

  /** Waits until Postgres answers again. All waiting statements share one check of Postgres. */
  #waitUntilBack(): Promise<void> {
    this.#checking ??= this.#checkUntilBack().finally(() => (this.#checking = undefined));
    return this.#checking;
  }

  async #checkUntilBack(): Promise<void> {
    for (let attempt = 0; !this.#closed && this.#awaySince !== null; attempt++) {
      await pauseBefore(attempt);
      if (await this.isThere()) this.#noteBack();
    }
  }

  #noteBack(): void {
    if (this.#awaySince !== null) this.logger?.info("the database answers again");
    this.#awaySince = null;
  }

  #noteLost({ message }: ConnectionLost): void {
    if (this.#awaySince !== null) return;
    this.#awaySince = performance.now();
    this.logger?.warn(`the database does not answer, all waits for it: ${message}`);
  }

  #isTransient(error: unknown): boolean {
    return !this.#closed && isTransient(error);
  }
}

/** Waits before a retry. @param attempt number of the retry, from 0 */
async function pauseBefore(attempt: number): Promise<void> {
  await Bun.sleep(fullJitter(attempt, RETRY_MS, LONGEST_RETRY_MS));
}

/** SQLSTATEs of errors that are worth a retry: conflicting locks, or a statement that took too long. */
const TRANSIENT_STATES = new Set(["40001", "40P01", "55P03", "57014"]);

function isTransient(error: unknown): boolean {
  return error instanceof ConnectionLost || TRANSIENT_STATES.has(sqlStateOf(error) ?? "");
}

/**
 * Converts an error of Postgres to an error class that does not depend on the engine, if there is such a
 * class. Other errors are returned unchanged.
 */
function translated(error: unknown): unknown {
  const message = error instanceof Error ? error.message : String(error);
  if (sqlStateOf(error) === "53100") return new DatabaseFull(message, { cause: error });
  if (sqlStateOf(error) === "23505") return new UniqueViolation(message, { cause: error });
  return error;
}

function toRow<Row>(raw: RawRow): Row {
  const row: Record<string, unknown> = {};
  for (const [column, value] of Object.entries(raw)) {
    row[fieldOf(column)] = typeof value === "bigint" ? Number(value) : value;
  }
  return row as Row;
}

function withoutPassword(databaseUrl: string): string {
  const { protocol, host, pathname } = new URL(databaseUrl);
  return `${protocol}//${host}${pathname}`;
}
