import { SQL } from "bun";
import type { Wire } from "./database.ts";
import type { PostgresPool } from "./postgres-pool.ts";

/** Postgres channel for the notifications between servers of one database. */
const CHANNEL = "fds_servers";

/**
 * Returns a {@link Wire} that uses LISTEN and NOTIFY of Postgres. It listens on a connection that does not
 * belong to the pool.
 */
export function wireOf(databaseUrl: string, pool: PostgresPool): Wire {
  return {
    async notify(text) {
      await pool.use((connection) => connection.query("SELECT pg_notify($1, $2)", [CHANNEL, text]));
    },
    async listen(onMessage, onLost) {
      let isEnded = false;
      // Closes the connection when it breaks. Otherwise the runtime would reconnect, and log each failed try
      // to stderr.
      const onclose = () => {
        if (isEnded) return;
        void stop();
        onLost();
      };
      const sql = new SQL(databaseUrl, { max: 1, idleTimeout: 0, onclose });
      const stop = () => {
        isEnded = true;
        return sql.close({ timeout: 0 });
      };
      try {
        await sql.listen(CHANNEL, onMessage);
      } catch (error) {
        await stop();
        throw error;
      }
      if (isEnded) throw new Error("the connection broke at once");
      return stop;
    },
  };
}
