import type { Change } from "./change.ts";

export const audit: readonly Change[] = [
  `CREATE TABLE audit (
    audit_id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    count BIGINT NOT NULL,
    actor TEXT,
    address TEXT,
    action TEXT NOT NULL,
    target TEXT,
    client_id TEXT,
    download_id TEXT,
    file_path TEXT,
    outcome TEXT NOT NULL
  )`,
  `CREATE INDEX audit_by_time ON audit (last_at)`,
  `CREATE INDEX audit_by_client ON audit (client_id, audit_id)`,
];
