import { ConnectionLost, PostgresConnection } from "./postgres-connection.ts";

/** Most connections of one server; Postgres takes 100 by default. */
const MOST_CONNECTIONS = 10;

/** Connections to Postgres, each for one piece of work at a time; one that broke is not used again. */
export class PostgresPool {
  readonly #idle: PostgresConnection[] = [];
  /** How many are open, or are being opened. */
  #open = 0;
  readonly #waiting: ((connection: PostgresConnection | undefined) => void)[] = [];
  #closed = false;

  constructor(private readonly databaseUrl: string) {}

  /**
   * Works with a connection of its own.
   * @throws ConnectionLost when there is none to be had, or it broke
   */
  async use<T>(work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const connection = await this.#take();
    try {
      const result = await work(connection);
      this.#give(connection);
      return result;
    } catch (error) {
      if (error instanceof ConnectionLost) await this.#drop(connection);
      else this.#give(connection);
      throw error;
    }
  }

  /** Closes what is idle at once, and what is in use when it is given back. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#idle.splice(0).map((connection) => this.#drop(connection)));
  }

  async #take(): Promise<PostgresConnection> {
    for (;;) {
      // One may have been given back while another one could not be opened.
      const found = this.#idle.pop() ?? (await this.#openOne()) ?? this.#idle.pop();
      if (found) return found;
      const next = Promise.withResolvers<PostgresConnection | undefined>();
      this.#waiting.push(next.resolve);
      const given = await next.promise;
      if (given) return given;
    }
  }

  /** @returns undefined where there may be no more, and there are others to wait for */
  async #openOne(): Promise<PostgresConnection | undefined> {
    if (this.#open >= MOST_CONNECTIONS) return undefined;
    this.#open++;
    try {
      return await PostgresConnection.open(this.databaseUrl);
    } catch (error) {
      this.#closedOne();
      if (error instanceof ConnectionLost && this.#open > 0) return undefined;
      throw error;
    }
  }

  #give(connection: PostgresConnection): void {
    const next = this.#waiting.shift();
    if (next) next(connection);
    else if (this.#closed) void this.#drop(connection);
    else this.#idle.push(connection);
  }

  async #drop(connection: PostgresConnection): Promise<void> {
    this.#closedOne();
    await connection.close();
  }

  /** Whoever waited longest may open another one. */
  #closedOne(): void {
    this.#open--;
    this.#waiting.shift()?.(undefined);
  }
}
