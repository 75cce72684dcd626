import type { Change } from "./change.ts";

export const labels: readonly Change[] = [
  // Labels and time zones that operators give to clients. What the clients themselves report is in `clients`.
  // A label whose value is null counts as missing, and is about to be removed.
  `CREATE TABLE client_labels (
    client_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT,
    PRIMARY KEY (client_id, key)
  )`,
  `CREATE INDEX client_labels_by_value ON client_labels (key, value, client_id)`,
  `CREATE TABLE client_settings (client_id TEXT PRIMARY KEY, time_zone TEXT)`,
  `ALTER TABLE clients ADD COLUMN reported_time_zone TEXT`,
  `ALTER TABLE api_tokens ADD COLUMN labels TEXT`,
  `ALTER TABLE enrolment_keys ADD COLUMN labels TEXT NOT NULL DEFAULT '{}'`,
];
