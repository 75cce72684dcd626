import { SQL } from "bun";
import type { Wire } from "./database.ts";
import type { PostgresPool } from "./postgres-pool.ts";

/** Channel of the notifications between servers of one database. */
const CHANNEL = "fds_servers";

/** Notifications between servers through Postgres. Each server listens on a connection of its own. */
export function wireOf(databaseUrl: string, pool: PostgresPool): Wire {
  return {
    async notify(text) {
      await pool.use((connection) => connection.query("SELECT pg_notify($1, $2)", [CHANNEL, text]));
    },
    async listen(hear) {
      const sql = new SQL(databaseUrl, { max: 1, idleTimeout: 0 });
      const stop = () => sql.close({ timeout: 0 });
      try {
        // The runtime replaces a broken connection; notifications in between are lost.
        await sql.listen(CHANNEL, hear);
        return stop;
      } catch (error) {
        await stop();
        throw error;
      }
    },
  };
}
