import type { Change } from "./change.ts";

/** A change that is reported to webhooks. All texts are SQL, in which NEW and OLD are the row. */
export interface Telling {
  /** Name of the trigger. */
  name: string;
  /** Such as `UPDATE OF status ON downloads`. */
  on: string;
  /** Condition on the row; by default, every row counts. */
  when?: string;
  /** Type of the event. */
  type: string;
  /** Subject of the message. Messages of one subject are delivered in order. */
  subject: string;
  /** Time of the event, ms since 1970; by default, the time of writing. */
  at?: string;
}

/** The time of the database's machine, ms since 1970. */
const NOW = {
  sqlite: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
  postgres: "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
};

const RANDOM = {
  sqlite: "lower(hex(randomblob(16)))",
  postgres: "replace(gen_random_uuid()::text, '-', '')",
};

/**
 * Triggers that insert a message for each webhook that asks for an event, in the same statement as the
 * change: both are made, or neither. Where no webhook asks, all that it costs is a look at an empty table.
 * Released migrations contain this text: change its output only in a new migration.
 */
export function tellOn(telling: Telling): readonly Change[] {
  const { name, on, when = "TRUE" } = telling;
  return [
    {
      sqlite: `CREATE TRIGGER ${name} AFTER ${on} FOR EACH ROW WHEN ${when} BEGIN
        ${insertion(telling, "sqlite")}; END`,
    },
    {
      postgres: `CREATE FUNCTION ${name}() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
        ${insertion(telling, "postgres")}; RETURN NULL; END $$`,
    },
    {
      postgres: `CREATE TRIGGER ${name} AFTER ${on} FOR EACH ROW WHEN (${when})
        EXECUTE FUNCTION ${name}()`,
    },
  ];
}

function insertion({ type, subject, at }: Telling, engine: "sqlite" | "postgres"): string {
  return `INSERT INTO webhook_messages (message_id, webhook_id, type, subject, at, status, attempts, next_at)
    SELECT 'msg_' || ${RANDOM[engine]}, webhook_id, ${type}, ${subject}, ${at ?? NOW[engine]},
      'waiting', 0, 0
    FROM webhooks WHERE disabled_at IS NULL AND events LIKE '%"' || ${type} || '"%'`;
}
