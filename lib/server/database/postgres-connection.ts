import { SQL } from "bun";
import type { Value } from "./statement.ts";

/** Time limit for connecting, in seconds. */
const CONNECT_S = 5;

/** Time limit for a statement in Postgres, in ms. */
const STATEMENT_MS = 15_000;

/**
 * How long a statement waits for a lock, in ms. Postgres also ends a transaction that is idle for this time,
 * so a server that froze during a transaction does not hold its locks for longer.
 */
const LOCK_MS = 10_000;

/** Time without an answer of Postgres after which a connection counts as dead, in ms. */
const ANSWER_MS = STATEMENT_MS + 5_000;

/** Number of prepared statements after which a connection is replaced. Each takes Postgres about 50 KiB. */
const MAX_PREPARED = 200;

/** A row as Postgres returns it, with columns in snake_case. */
export type RawRow = Record<string, string | number | bigint | null>;

/** The connection was lost, so it is not known whether the last statement was executed. */
export class ConnectionLost extends Error {
  override name = "ConnectionLost";
}

/**
 * One connection to Postgres. It is a pool of Bun with a single, reserved connection, so that Bun does not
 * reconnect or repeat a statement by itself.
 */
export class PostgresConnection {
  /**
   * Texts of the statements that were prepared on this connection. Postgres keeps the statements until the
   * connection is closed.
   */
  readonly #prepared = new Set<string>();

  private constructor(
    private readonly pool: SQL,
    private readonly reserved: Bun.ReservedSQL,
  ) {}

  /**
   * Opens a connection.
   * @throws ConnectionLost if Postgres does not answer
   * @throws SQL.PostgresError if Postgres refuses: a wrong password, or an unknown database
   */
  static async open(databaseUrl: string): Promise<PostgresConnection> {
    const pool = new SQL(databaseUrl, {
      max: 1,
      idleTimeout: 0,
      connectionTimeout: CONNECT_S,
      // Without this option, large integers would be returned as text, and could not be distinguished from
      // the values of text columns.
      bigint: true,
      connection: {
        application_name: "file-download-system",
        statement_timeout: String(STATEMENT_MS),
        lock_timeout: String(LOCK_MS),
        idle_in_transaction_session_timeout: String(LOCK_MS),
        default_transaction_isolation: "read committed",
      },
    });
    try {
      return new PostgresConnection(pool, await pool.reserve());
    } catch (error) {
      await pool.close({ timeout: 0 });
      throw asConnectionLost(error);
    }
  }

  /**
   * Runs a statement with the parameters `$1`, `$2` and so on.
   * @throws ConnectionLost
   * @throws SQL.PostgresError if Postgres refuses the statement
   */
  async query(text: string, values: readonly Value[] = []): Promise<RawRow[]> {
    this.#prepared.add(text);
    const timeout = Promise.withResolvers<never>();
    const giveUp = () => timeout.reject(new ConnectionLost("Postgres does not answer"));
    const timer = setTimeout(giveUp, ANSWER_MS);
    try {
      const answer = this.reserved.unsafe<RawRow[]>(text, [...values]);
      return await Promise.race([answer, timeout.promise]);
    } catch (error) {
      throw asConnectionLost(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether the connection has so many prepared statements that it should be replaced. */
  get shouldBeReplaced(): boolean {
    return this.#prepared.size >= MAX_PREPARED;
  }

  /** Runs a statement without a time limit for the answer. */
  async queryWithoutTimeout(text: string): Promise<void> {
    try {
      await this.reserved.unsafe(text);
    } catch (error) {
      throw asConnectionLost(error);
    }
  }

  async close(): Promise<void> {
    this.reserved.release();
    await this.pool.close({ timeout: 0 });
  }
}

/**
 * SQLSTATEs of a lost connection: class 08 and some others. With these, Postgres reports that it is stopping
 * or starting, has too many connections, is read-only, or has closed an idle connection.
 */
const LOST_STATES = /^(?:08...|57P01|57P02|57P03|57P05|53300|25006|25P03)$/;

/** Bun's error codes for a connection that failed or was lost. */
const LOST_CODES = /^ERR_POSTGRES_(?:CONNECTION|IDLE_TIMEOUT|LIFETIME_TIMEOUT)/;

function asConnectionLost(error: unknown): unknown {
  if (!(error instanceof SQL.PostgresError)) return error;
  const isLost = LOST_CODES.test(error.code) || LOST_STATES.test(sqlStateOf(error) ?? "");
  return isLost ? new ConnectionLost(error.message, { cause: error }) : error;
}

/** Returns the SQLSTATE of a Postgres error; undefined: it is another error. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof SQL.PostgresError ? error.errno?.toString() : undefined;
}
