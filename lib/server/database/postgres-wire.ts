import { SQL } from "bun";
import type { Wire } from "./database.ts";
import type { PostgresPool } from "./postgres-pool.ts";

/** The name under which servers of one database hear each other. */
const CHANNEL = "fds_servers";

/** What servers tell each other through Postgres, each with a connection of its own to hear it. */
export function wireOf(databaseUrl: string, pool: PostgresPool): Wire {
  return {
    async notify(text) {
      await pool.use((connection) => connection.query("SELECT pg_notify($1, $2)", [CHANNEL, text]));
    },
    async listen(hear) {
      const sql = new SQL(databaseUrl, { max: 1, idleTimeout: 0 });
      const stop = () => sql.close({ timeout: 0 });
      try {
        // A connection that breaks is made again by the runtime; what was told meanwhile is lost.
        await sql.listen(CHANNEL, hear);
        return stop;
      } catch (error) {
        await stop();
        throw error;
      }
    },
  };
}
