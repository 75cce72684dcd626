import type { Change } from "./change.ts";

export const jobs: readonly Change[] = [
  // A job is one request to many clients, with a download for each of them.
  `CREATE TABLE jobs (
    job_id TEXT PRIMARY KEY,
    name TEXT,
    status TEXT NOT NULL,
    selection TEXT NOT NULL,
    membership TEXT NOT NULL,
    order_json TEXT NOT NULL,
    download TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT,
    created_with TEXT,
    expires_at BIGINT,
    ended_at BIGINT,
    max_concurrent BIGINT,
    spread_ms BIGINT NOT NULL,
    spread_from BIGINT NOT NULL,
    stop_percent BIGINT,
    stop_at_least BIGINT,
    rerun TEXT,
    unsettled BIGINT NOT NULL,
    revision BIGINT NOT NULL
  )`,
  `CREATE INDEX jobs_by_status ON jobs (status, expires_at)`,
  `CREATE INDEX jobs_continuous ON jobs (job_id)
    WHERE membership = 'continuous' AND status IN ('running', 'paused')`,
  `CREATE INDEX jobs_unsettled ON jobs (job_id) WHERE unsettled = 1`,
  `CREATE TABLE job_members (
    job_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    PRIMARY KEY (job_id, client_id)
  )`,
  `CREATE TABLE idempotency_keys (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    job_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (owner, key)
  )`,
  `CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at)`,
  `ALTER TABLE downloads ADD COLUMN job_id TEXT`,
  // When a download may start, if its job spreads the starts over time.
  `ALTER TABLE downloads ADD COLUMN starts_at BIGINT`,
  // Each client of a job has exactly one newest download. Only the newest one is counted.
  `CREATE UNIQUE INDEX downloads_of_job_by_client ON downloads (job_id, client_id)
    WHERE job_id IS NOT NULL AND retried_as IS NULL`,
  `CREATE INDEX downloads_of_job ON downloads
    (job_id, status, download_id, client_id, safe_offset, total_size, files_received, files_skipped)
    WHERE job_id IS NOT NULL AND retried_as IS NULL`,
  // Finds all downloads of a job, including those that were retried.
  `CREATE INDEX downloads_by_job ON downloads (job_id, download_id) WHERE job_id IS NOT NULL`,
  `CREATE INDEX downloads_by_start ON downloads (starts_at)
    WHERE status = 'queued' AND starts_at IS NOT NULL`,
];
