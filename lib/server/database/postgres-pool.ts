import { ConnectionLost, PostgresConnection } from "./postgres-connection.ts";

/** Limit on the connections of one server. Postgres allows 100 by default. */
const MAX_CONNECTIONS = 10;

/** A caller that waits for a connection. The caller gets a connection, or undefined if it must try again. */
type WaitingCaller = PromiseWithResolvers<PostgresConnection | undefined>;

/**
 * A pool of connections to Postgres. Each connection is used by one caller at a time. A broken one is not
 * used again.
 */
export class PostgresPool {
  readonly #idle: PostgresConnection[] = [];
  /** Number of open connections, not including those that are being opened. */
  #open = 0;
  #opening = 0;
  readonly #waiting: WaitingCaller[] = [];
  #closed = false;

  constructor(private readonly databaseUrl: string) {}

  /**
   * Runs work with a connection that no other caller uses meanwhile.
   * @throws ConnectionLost if no connection can be opened, or the connection broke
   */
  async use<T>(work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const connection = await this.#take();
    try {
      const result = await work(connection);
      this.#putBack(connection);
      return result;
    } catch (error) {
      if (error instanceof ConnectionLost) await this.#drop(connection);
      else this.#putBack(connection);
      throw error;
    }
  }

  /** Closes idle connections now, and the others when they are returned. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#idle.splice(0).map((connection) => this.#drop(connection)));
  }

  async #take(): Promise<PostgresConnection> {
    for (;;) {
      // If no connection could be opened, another caller may have returned one meanwhile.
      const found = this.#idle.pop() ?? (await this.#openOne()) ?? this.#idle.pop();
      if (found) return found;
      const waiting: WaitingCaller = Promise.withResolvers();
      this.#waiting.push(waiting);
      const connection = await waiting.promise;
      if (connection) return connection;
    }
  }

  /**
   * Opens a connection.
   * @returns undefined: no connection was opened, because the limit is reached or Postgres does not answer,
   *   but the caller can wait for another connection
   */
  async #openOne(): Promise<PostgresConnection | undefined> {
    if (this.#open + this.#opening >= MAX_CONNECTIONS) return undefined;
    this.#opening++;
    try {
      const connection = await PostgresConnection.open(this.databaseUrl);
      this.#open++;
      return connection;
    } catch (error) {
      if (error instanceof ConnectionLost && this.#open > 0) return undefined;
      // No open connection is left to wait for, or Postgres refuses this server. So all waiting callers get
      // the error.
      for (const { reject } of this.#waiting.splice(0)) reject(error);
      throw error;
    } finally {
      this.#opening--;
    }
  }

  #putBack(connection: PostgresConnection): void {
    if (connection.shouldBeReplaced) return void this.#drop(connection);
    const next = this.#waiting.shift();
    if (next) next.resolve(connection);
    else if (this.#closed) void this.#drop(connection);
    else this.#idle.push(connection);
  }

  /** Closes a connection. The caller that has waited longest may then open another one. */
  async #drop(connection: PostgresConnection): Promise<void> {
    this.#open--;
    this.#waiting.shift()?.resolve(undefined);
    await connection.close();
  }
}
