import type { Change } from "./change.ts";

export const downloads: readonly Change[] = [
  `CREATE TABLE downloads (
    download_id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL,
    file_path TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    completed_at BIGINT,
    attempts BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    restarts BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    not_before BIGINT,
    safe_offset BIGINT NOT NULL,
    total_size BIGINT,
    chunk_size BIGINT,
    identity TEXT,
    md5 TEXT,
    saved_path TEXT UNIQUE,
    problem_code TEXT,
    problem_message TEXT
  )`,
  // Indexes for lists of downloads, newest first. The index by client and status also finds queued downloads
  // that can be started.
  `CREATE INDEX downloads_by_status ON downloads (status, download_id)`,
  `CREATE INDEX downloads_by_client ON downloads (client_id, download_id)`,
  `CREATE INDEX downloads_by_client_and_status ON downloads (client_id, status, download_id)`,
  // Finds downloads that are due, without reading their rows.
  `CREATE INDEX downloads_by_due_time ON downloads (status, not_before, client_id)`,
  `CREATE TABLE clients (
    client_id TEXT PRIMARY KEY,
    key_hash TEXT NOT NULL,
    enrolled_at BIGINT,
    hostname TEXT NOT NULL,
    platform TEXT NOT NULL,
    version TEXT NOT NULL,
    remote_address TEXT NOT NULL,
    connected_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL
  )`,
];
