import type { Change } from "./change.ts";

/** A change of which webhooks are told. Each text is SQL, in which NEW and OLD are the row. */
export interface Telling {
  /** Name of the trigger. */
  name: string;
  /** `UPDATE OF status ON downloads` */
  on: string;
  /** Which rows; where it is not given, all. */
  when?: string;
  /** The event. */
  type: string;
  /** What it is about: messages of one subject are delivered in order. */
  subject: string;
  /** When it happened, ms since 1970; where it is not given, when it is written. */
  at?: string;
}

/** Now, by the clock of the database's machine, ms since 1970. */
const NOW = {
  sqlite: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
  postgres: "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
};

const RANDOM = {
  sqlite: "lower(hex(randomblob(16)))",
  postgres: "replace(gen_random_uuid()::text, '-', '')",
};

/**
 * Triggers that write a message for each webhook that asks for an event, in the statement that makes
 * the change: both are there, or neither is. Where no webhook asks, none is written, and a look at an
 * empty table is all that it costs. Migrations that were released have this text in them: change what
 * it makes only by another migration.
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
