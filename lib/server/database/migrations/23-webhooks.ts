import type { Change } from "./change.ts";
import { tellOn } from "./tell-on.ts";

/** Returns a change that creates a table whose first column numbers the rows. */
function numberedTable(table: string, columns: string): Change {
  const creation = (number: string) => `CREATE TABLE ${table} (number ${number}, ${columns})`;
  return {
    sqlite: creation("INTEGER PRIMARY KEY AUTOINCREMENT"),
    postgres: creation("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
  };
}

export const webhooks: readonly Change[] = [
  `CREATE TABLE webhooks (
    webhook_id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    secret TEXT NOT NULL,
    old_secret TEXT,
    old_secret_until BIGINT,
    disabled_at BIGINT,
    disabled_because TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT
  )`,
  // The outbox: messages for webhooks. A server that claims a message sets `next_at` to the time at which the
  // message is due again if the server records no result.
  numberedTable(
    "webhook_messages",
    `message_id TEXT NOT NULL UNIQUE,
    webhook_id TEXT NOT NULL,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    at BIGINT NOT NULL,
    status TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    unreached BIGINT NOT NULL DEFAULT 0,
    body TEXT`,
  ),
  `CREATE INDEX webhook_messages_unwritten ON webhook_messages (number) WHERE body IS NULL`,
  `CREATE INDEX webhook_messages_due ON webhook_messages (webhook_id, next_at, number)
    WHERE status = 'waiting'`,
  `CREATE INDEX webhook_messages_by_subject ON webhook_messages (webhook_id, subject, number)
    WHERE status = 'waiting'`,
  `CREATE INDEX webhook_messages_by_status ON webhook_messages (webhook_id, status, number)`,
  `CREATE TABLE webhook_attempts (
    attempt_id TEXT PRIMARY KEY,
    message_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    delivered BIGINT NOT NULL,
    response_status BIGINT,
    error TEXT,
    next_at BIGINT
  )`,
  `CREATE INDEX webhook_attempts_by_webhook ON webhook_attempts (webhook_id, attempt_id)`,
  `CREATE INDEX webhook_attempts_by_message ON webhook_attempts (message_id)`,
  // Lasting conditions that are reported only once: a disconnected client ("client/ID"), or low storage
  // ("storage").
  `CREATE TABLE told_conditions (subject TEXT PRIMARY KEY, since BIGINT NOT NULL, detail TEXT)`,

  ...tellOn({
    name: "tell_of_download",
    on: "UPDATE OF status ON downloads",
    when: "NEW.status IN ('completed', 'failed') AND OLD.status <> NEW.status",
    type: "'download.' || NEW.status",
    subject: "'download/' || NEW.download_id",
    at: "NEW.completed_at",
  }),
  ...tellOn({
    name: "tell_of_job",
    on: "UPDATE OF status ON jobs",
    when: "NEW.status IN ('completed', 'failed', 'stopped') AND OLD.status <> NEW.status",
    type: "'job.' || NEW.status",
    subject: "'job/' || NEW.job_id",
    at: "NEW.ended_at",
  }),
  ...tellOn({
    name: "tell_of_new_client",
    on: "INSERT ON clients",
    type: "'client.online'",
    subject: "'client/' || NEW.client_id",
    at: "NEW.connected_at",
  }),
  ...tellOn({
    name: "tell_of_client_that_left",
    on: "INSERT ON told_conditions",
    when: "NEW.subject LIKE 'client/%'",
    type: "'client.offline'",
    subject: "NEW.subject",
    at: "NEW.since",
  }),
  ...tellOn({
    name: "tell_of_client_that_is_back",
    on: "DELETE ON told_conditions",
    when: "OLD.subject LIKE 'client/%'",
    type: "'client.online'",
    subject: "OLD.subject",
    at: `COALESCE(
      (SELECT connected_at FROM clients WHERE client_id = SUBSTR(OLD.subject, 8)), OLD.since)`,
  }),
  ...tellOn({
    name: "tell_of_low_storage",
    on: "INSERT ON told_conditions",
    when: "NEW.subject = 'storage'",
    type: "'storage.low'",
    subject: "NEW.subject",
    at: "NEW.since",
  }),
  // When a client registers again, deletes the record that the client was reported as offline.
  {
    sqlite: `CREATE TRIGGER client_is_back AFTER UPDATE OF connected_at ON clients FOR EACH ROW BEGIN
      DELETE FROM told_conditions WHERE subject = 'client/' || NEW.client_id; END`,
  },
  {
    postgres: `CREATE FUNCTION client_is_back() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
      DELETE FROM told_conditions WHERE subject = 'client/' || NEW.client_id; RETURN NULL; END $$`,
  },
  {
    postgres: `CREATE TRIGGER client_is_back AFTER UPDATE OF connected_at ON clients FOR EACH ROW
      EXECUTE FUNCTION client_is_back()`,
  },
];
