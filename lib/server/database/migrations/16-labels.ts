import type { Change } from "./change.ts";

export const labels: readonly Change[] = [
  // Settings of clients that operators made, apart from what clients report. A label whose value is null
  // counts as missing, and is about to be removed.
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
