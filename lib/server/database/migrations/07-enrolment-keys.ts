import type { Change } from "./change.ts";

export const enrolmentKeys: readonly Change[] = [
  `CREATE TABLE enrolment_keys (
    name TEXT PRIMARY KEY,
    key_hash TEXT NOT NULL UNIQUE,
    ids TEXT NOT NULL,
    replaces BIGINT NOT NULL,
    max_uses BIGINT,
    uses BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT
  )`,
  `ALTER TABLE clients ADD COLUMN revoked_at BIGINT`,
];
