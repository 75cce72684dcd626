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
  /** When it happened, ms since 1970. */
  at: string;
}

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
        ${insertion(telling, "lower(hex(randomblob(16)))")}; END`,
    },
    {
      postgres: `CREATE FUNCTION ${name}() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
        ${insertion(telling, "replace(gen_random_uuid()::text, '-', '')")}; RETURN NULL; END $$`,
    },
    {
      postgres: `CREATE TRIGGER ${name} AFTER ${on} FOR EACH ROW WHEN (${when})
        EXECUTE FUNCTION ${name}()`,
    },
  ];
}

function insertion({ type, subject, at }: Telling, random: string): string {
  return `INSERT INTO webhook_messages (message_id, webhook_id, type, subject, at, status, attempts, next_at)
    SELECT 'msg_' || ${random}, webhook_id, ${type}, ${subject}, ${at}, 'waiting', 0, 0
    FROM webhooks WHERE disabled_at IS NULL AND events LIKE '%"' || ${type} || '"%'`;
}
