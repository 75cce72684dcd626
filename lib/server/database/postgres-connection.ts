import { SQL } from "bun";
import type { Value } from "./statement.ts";

/** Time limit for connecting, in s. */
const CONNECT_S = 5;

/** Time limit of a statement in Postgres, in ms. */
const STATEMENT_MS = 15_000;

/**
 * How long a statement waits for a lock, and how long a frozen server's transaction may hold one, in ms.
 */
const LOCK_MS = 10_000;

/** Time without an answer after which a connection counts as dead, in ms. */
const ANSWER_MS = STATEMENT_MS + 5_000;

/** Most prepared statements of a connection, as each takes Postgres about 50 KiB. */
const MOST_PREPARED = 200;

/** A row as Postgres returns it, with columns in snake_case. */
export type RawRow = Record<string, string | number | bigint | null>;

/** The connection was lost, so it is not known whether the last statement was run. */
export class ConnectionLost extends Error {
  override name = "ConnectionLost";
}

/**
 * One connection to Postgres. It is Bun's pool of size one, reserved, so that a broken connection stays
 * broken and the runtime repeats nothing by itself.
 */
export class PostgresConnection {
  /** Texts of the statements prepared on it, which Postgres keeps as long as it is open. */
  readonly #prepared = new Set<string>();

  private constructor(
    private readonly pool: SQL,
    private readonly reserved: Bun.ReservedSQL,
  ) {}

  /**
   * @throws ConnectionLost when there is no answer
   * @throws SQL.PostgresError when Postgres refuses: a wrong password, or no such database
   */
  static async open(databaseUrl: string): Promise<PostgresConnection> {
    const pool = new SQL(databaseUrl, {
      max: 1,
      idleTimeout: 0,
      connectionTimeout: CONNECT_S,
      // Otherwise they come as texts, indistinguishable from real texts.
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

  /** Whether it has so many prepared statements that it should be replaced. */
  get isWorn(): boolean {
    return this.#prepared.size >= MOST_PREPARED;
  }

  /** Runs a statement without a time limit. */
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

/** SQLSTATEs of a server that stops, starts, is full or was demoted: class 08, and these. */
const SERVER_IS_AWAY = /^(?:08...|57P01|57P02|57P03|57P05|53300|25006|25P03)$/;

/** Bun's codes for a connection that failed or was lost. */
const NO_CONNECTION = /^ERR_POSTGRES_(?:CONNECTION|IDLE_TIMEOUT|LIFETIME_TIMEOUT)/;

function lostOr(error: unknown): unknown {
  if (!(error instanceof SQL.PostgresError)) return error;
  const isLost = NO_CONNECTION.test(error.code) || SERVER_IS_AWAY.test(stateOf(error) ?? "");
  return isLost ? new ConnectionLost(error.message, { cause: error }) : error;
}

/** The SQLSTATE in an error of Postgres. */
export function stateOf(error: unknown): string | undefined {
  return error instanceof SQL.PostgresError ? error.errno?.toString() : undefined;
}
