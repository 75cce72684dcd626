import { SQL } from "bun";
import type { Value } from "./statement.ts";

/** How long a connection may take to be there, in s. */
const CONNECT_S = 5;

/** How long Postgres works at a statement, in ms. */
const STATEMENT_MS = 15_000;

/** How long a statement waits for a lock, and a transaction of a server that froze keeps one, in ms. */
const LOCK_MS = 10_000;

/** Time without an answer to a statement after which the connection counts as dead, in ms. */
const ANSWER_MS = STATEMENT_MS + 5_000;

/** Most statements that Postgres keeps for a connection: each takes it some 50 KiB. */
const MOST_PREPARED = 200;

/** A row as Postgres has it: names of columns in snake_case. */
export type RawRow = Record<string, string | number | bigint | null>;

/** Postgres, or the way to it, was lost: whether the last statement was run is not known. */
export class ConnectionLost extends Error {
  override name = "ConnectionLost";
}

/**
 * One connection to Postgres. A pool of one, reserved: what breaks stays broken, and nothing is sent
 * again behind our back.
 */
export class PostgresConnection {
  /** Texts of statements that were prepared on it, which Postgres keeps as long as it is there. */
  readonly #prepared = new Set<string>();

  private constructor(
    private readonly pool: SQL,
    private readonly reserved: Bun.ReservedSQL,
  ) {}

  /**
   * @throws ConnectionLost when nobody answers there
   * @throws SQL.PostgresError when Postgres refuses: a wrong password, no such database
   */
  static async open(databaseUrl: string): Promise<PostgresConnection> {
    const pool = new SQL(databaseUrl, {
      max: 1,
      idleTimeout: 0,
      connectionTimeout: CONNECT_S,
      // Otherwise they come as text, and could not be told from texts.
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
      throw lostOr(error);
    }
  }

  /**
   * Runs a statement with parameters `$1`, `$2`…
   * @throws ConnectionLost
   * @throws SQL.PostgresError when Postgres refuses the statement
   */
  async query(text: string, values: readonly Value[] = []): Promise<RawRow[]> {
    this.#prepared.add(text);
    const late = Promise.withResolvers<never>();
    const giveUp = () => late.reject(new ConnectionLost("Postgres does not answer"));
    const timer = setTimeout(giveUp, ANSWER_MS);
    try {
      const answer = this.reserved.unsafe<RawRow[]>(text, [...values]);
      return await Promise.race([answer, late.promise]);
    } catch (error) {
      throw lostOr(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether Postgres keeps so much for it that another one had better take its place. */
  get isWorn(): boolean {
    return this.#prepared.size >= MOST_PREPARED;
  }

  /** The same for a statement that may take as long as it likes. */
  async queryAtLength(text: string): Promise<void> {
    try {
      await this.reserved.unsafe(text);
    } catch (error) {
      throw lostOr(error);
    }
  }

  async close(): Promise<void> {
    this.reserved.release();
    await this.pool.close({ timeout: 0 });
  }
}

/** SQLSTATEs of a server that goes down, comes up, is full or was demoted: class 08, and these. */
const SERVER_IS_AWAY = /^(?:08...|57P01|57P02|57P03|57P05|53300|25006|25P03)$/;

/** Bun's codes of a connection that is none, or not any more. */
const NO_CONNECTION = /^ERR_POSTGRES_(?:CONNECTION|IDLE_TIMEOUT|LIFETIME_TIMEOUT)/;

function lostOr(error: unknown): unknown {
  if (!(error instanceof SQL.PostgresError)) return error;
  const isLost = NO_CONNECTION.test(error.code) || SERVER_IS_AWAY.test(stateOf(error) ?? "");
  return isLost ? new ConnectionLost(error.message, { cause: error }) : error;
}

/** The SQLSTATE of an error that Postgres answered with. */
export function stateOf(error: unknown): string | undefined {
  return error instanceof SQL.PostgresError ? error.errno?.toString() : undefined;
}
