import type { Change } from "./change.ts";

export const sets: readonly Change[] = [
  // Columns for sets, which are downloads of many files.
  `ALTER TABLE downloads ADD COLUMN set_order TEXT`,
  `ALTER TABLE downloads ADD COLUMN files_total BIGINT`,
  `ALTER TABLE downloads ADD COLUMN files_received BIGINT`,
  `ALTER TABLE downloads ADD COLUMN files_unchanged BIGINT`,
  `ALTER TABLE downloads ADD COLUMN files_skipped BIGINT`,
  `CREATE TABLE set_files (
    download_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    idx BIGINT NOT NULL,
    path TEXT NOT NULL,
    root BIGINT NOT NULL,
    size BIGINT NOT NULL,
    mtime_ns TEXT NOT NULL,
    place TEXT,
    status TEXT NOT NULL,
    digest TEXT,
    safe_offset BIGINT NOT NULL DEFAULT 0,
    read_at BIGINT,
    error_code TEXT,
    error TEXT,
    PRIMARY KEY (download_id, idx)
  )`,
  // Finds the stored files of a client by their paths.
  `CREATE INDEX set_files_stored ON set_files (client_id, path)
    WHERE status IN ('received', 'unchanged')`,
  // Features of a client, as JSON. They are stored because they are also needed while the client is not
  // connected.
  `ALTER TABLE clients ADD COLUMN features TEXT NOT NULL DEFAULT '[]'`,
];
