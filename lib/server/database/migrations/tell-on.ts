import type { Change } from "./change.ts";

/**
 * A change of a row that is reported to webhooks. All fields except `name` are SQL, in which OLD is the row
 * before the change and NEW is the row after it.
 */
export interface Telling {
  /** Name of the trigger. */
  name: string;
  /** The event of the trigger, such as `UPDATE OF status ON downloads`. */
  on: string;
  /** Condition for reporting the change. By default, every change is reported. */
  when?: string;
  /** SQL expression for the type of the event. */
  type: string;
  /**
   * SQL expression for what the message is about, such as `client/` and a client id. Messages about the same
   * client, download, job or delivery are sent in order.
   */
  subject: string;
  /** SQL expression for the time of the event, in ms since 1970. The default is the time of the statement. */
  at?: string;
}

/** SQL expressions for the current time of the database's machine, in ms since 1970. */
const NOW = {
  sqlite: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
  postgres: "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
};

const RANDOM = {
  sqlite: "lower(hex(randomblob(16)))",
  postgres: "replace(gen_random_uuid()::text, '-', '')",
};

/**
 * Returns triggers that insert a message for each webhook that asked for an event. A trigger runs in the
 * statement that changes the row, so that the change and its messages are stored together, or not at all.
 * Without webhooks, the trigger only reads an empty table. Released migrations contain these statements, so a
 * new text needs a new migration.
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
