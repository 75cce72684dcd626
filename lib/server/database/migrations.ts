import type { Database } from "bun:sqlite";
import { CONCURRENCY } from "./postgres-concurrency.ts";

/** What is for one engine alone, or has other words there. */
type Change = string | { sqlite?: string; postgres?: string };

/**
 * How the database came to its shape: the n-th entry leads from version n - 1 to version n. What
 * was once released is never changed, only followed by another entry; there is no way back.
 */
const MIGRATIONS: readonly (readonly Change[])[] = [
  [
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
    // Lists, newest first. The last one is also the claim's.
    `CREATE INDEX downloads_by_status ON downloads (status, download_id)`,
    `CREATE INDEX downloads_by_client ON downloads (client_id, download_id)`,
    `CREATE INDEX downloads_by_client_and_status ON downloads (client_id, status, download_id)`,
    // What is due, for the dispatcher, answered from the index alone.
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
  ],
  [
    // A revision was counted for each download, now it is for all of them.
    `UPDATE downloads SET revision = numbered.number FROM (
      SELECT download_id, ROW_NUMBER() OVER (ORDER BY revision, download_id) AS number
      FROM downloads
    ) AS numbered WHERE numbered.download_id = downloads.download_id`,
    // What changed last, and what changed since.
    `CREATE INDEX downloads_by_revision ON downloads (revision)`,
  ],
  [
    `ALTER TABLE downloads RENAME COLUMN md5 TO digest`,
    `ALTER TABLE downloads ADD COLUMN checksum TEXT NOT NULL DEFAULT 'md5'`,
    `ALTER TABLE downloads ADD COLUMN rate_limit BIGINT`,
  ],
  [
    `CREATE TABLE api_tokens (
      name TEXT PRIMARY KEY,
      token_hash TEXT NOT NULL UNIQUE,
      role TEXT NOT NULL,
      sites TEXT,
      created_at BIGINT NOT NULL,
      expires_at BIGINT,
      revoked_at BIGINT,
      last_used_at BIGINT
    )`,
    `CREATE TABLE sessions (
      session_hash TEXT PRIMARY KEY,
      token_name TEXT,
      expires_at BIGINT NOT NULL
    )`,
  ],
  [
    `ALTER TABLE downloads ADD COLUMN bytes_on_wire BIGINT NOT NULL DEFAULT 0`,
    // Until now every byte came as it is.
    `UPDATE downloads SET bytes_on_wire = safe_offset`,
  ],
  [
    // Whose downloads wait, and since when: found with a few steps for each client, however long
    // its queue is.
    `CREATE INDEX downloads_waiting ON downloads (client_id, not_before) WHERE status = 'queued'`,
  ],
  [
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
  ],
  [
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
  ],
  [
    // Only downloads that wait: the index took part in every change, and in the search for clients it
    // stood in for the other one, which skips from client to client.
    `DROP INDEX downloads_by_due_time`,
    `CREATE INDEX downloads_by_due_time ON downloads (not_before) WHERE status = 'queued'`,
  ],
  [
    // A name of a token is given again, once the token is good no more: a session is of the token.
    `DELETE FROM sessions WHERE token_name NOT IN (SELECT name FROM api_tokens)`,
    `ALTER TABLE sessions ADD COLUMN token_hash TEXT`,
    `UPDATE sessions SET token_hash = (SELECT token_hash FROM api_tokens WHERE name = token_name)`,
    `ALTER TABLE sessions DROP COLUMN token_name`,
    `ALTER TABLE sessions ADD COLUMN begun_with TEXT`,
    `CREATE INDEX sessions_by_origin ON sessions (begun_with) WHERE begun_with IS NOT NULL`,
  ],
  [
    // What a row is worth, and what room it takes; of what is there already, about.
    `ALTER TABLE audit ADD COLUMN standing TEXT NOT NULL DEFAULT 'stranger'`,
    `ALTER TABLE audit ADD COLUMN bytes BIGINT NOT NULL DEFAULT 512`,
    `UPDATE audit SET standing = CASE
      WHEN action = 'download_end' THEN 'act'
      WHEN outcome = 'ok' AND action IN (
        'token_create', 'token_revoke', 'enrolment_key_create', 'enrolment_key_revoke',
        'client_revoke', 'download_start', 'download_cancel', 'download_retry'
      ) THEN 'act'
      WHEN actor IS NOT NULL OR (outcome = 'ok' AND client_id IS NOT NULL) THEN 'known'
      ELSE 'stranger' END`,
    // What was counted got its id when it was written: from now on, that of when it last happened.
    {
      sqlite: `UPDATE audit SET audit_id =
        printf('%08x-%04x', last_at >> 16, last_at & 65535) || substr(audit_id, 14)
        WHERE count > 1`,
    },
    `CREATE INDEX audit_by_standing ON audit (standing, audit_id, bytes)`,
  ],
  [
    // A token has a limited number of sessions. The newest ones stay.
    `ALTER TABLE sessions ADD COLUMN begun_at BIGINT NOT NULL DEFAULT 0`,
    `CREATE INDEX sessions_by_token ON sessions (token_hash, begun_at DESC, session_hash)`,
    `CREATE INDEX sessions_by_end ON sessions (expires_at)`,
  ],
  [
    // A download of many files.
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
    // What is stored already of a client's file.
    `CREATE INDEX set_files_stored ON set_files (client_id, path)
      WHERE status IN ('received', 'unchanged')`,
    // What a client can do is asked also while it is away.
    `ALTER TABLE clients ADD COLUMN features TEXT NOT NULL DEFAULT '[]'`,
  ],
  [
    // Counts and sums of downloads are answered from these alone.
    `DROP INDEX downloads_by_status`,
    `CREATE INDEX downloads_by_status ON downloads (status, download_id, safe_offset)`,
    `DROP INDEX downloads_by_client`,
    `CREATE INDEX downloads_by_client ON downloads (client_id, download_id, status, safe_offset)`,
    // What ended since a reader of events was there, of its sites.
    `CREATE INDEX downloads_ended ON downloads (revision, client_id)
      WHERE status IN ('completed', 'failed', 'cancelled')`,
    // The download that asked for the file again; open is what failed without one.
    `ALTER TABLE downloads ADD COLUMN retried_as TEXT`,
    `CREATE INDEX downloads_open ON downloads (download_id, status, safe_offset)
      WHERE status = 'failed' AND retried_as IS NULL`,
    `CREATE INDEX downloads_open_by_client ON downloads
      (client_id, download_id, status, safe_offset)
      WHERE status = 'failed' AND retried_as IS NULL`,
    `CREATE INDEX audit_by_download ON audit (download_id, audit_id)
      WHERE download_id IS NOT NULL`,
  ],
  [
    // A path is stored in many sets of a client.
    `DROP INDEX set_files_stored`,
    `CREATE INDEX set_files_stored ON set_files (client_id, path, download_id)
      WHERE status IN ('received', 'unchanged')`,
  ],
  [
    // What is said of a client at the server, apart from what the client reports. A label whose value
    // is null is about to be removed, and counts as none.
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
  ],
  [...CONCURRENCY.map((postgres) => ({ postgres }))],
  [
    // One request to many clients, with a download for each.
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
    // Where a job spreads its starts.
    `ALTER TABLE downloads ADD COLUMN starts_at BIGINT`,
    // A job counts the newest download of each client, so there is only one such row.
    `CREATE UNIQUE INDEX downloads_of_job_by_client ON downloads (job_id, client_id)
      WHERE job_id IS NOT NULL AND retried_as IS NULL`,
    `CREATE INDEX downloads_of_job ON downloads
      (job_id, status, download_id, client_id, safe_offset, total_size, files_received, files_skipped)
      WHERE job_id IS NOT NULL AND retried_as IS NULL`,
    // A list of a job's downloads, also of those that were asked for again.
    `CREATE INDEX downloads_by_job ON downloads (job_id, download_id) WHERE job_id IS NOT NULL`,
    `CREATE INDEX downloads_by_start ON downloads (starts_at)
      WHERE status = 'queued' AND starts_at IS NOT NULL`,
  ],
  [
    // SQLite looks at the row for each column that a condition names, also where the index implies it.
    `DROP INDEX downloads_of_job`,
    `CREATE INDEX downloads_of_job ON downloads
      (job_id, status, download_id, client_id, safe_offset, total_size, files_received,
        files_skipped, retried_as)
      WHERE job_id IS NOT NULL AND retried_as IS NULL`,
    // The download that was to come in place of another one, where it was not made.
    `CREATE INDEX downloads_of_job_retried ON downloads (job_id, client_id, download_id)
      WHERE job_id IS NOT NULL AND retried_as IS NOT NULL`,
  ],
];

/** The changes that lead to a version of the database, each a statement. */
export function changesTo(version: number, engine: "sqlite" | "postgres"): string[] {
  const changes = MIGRATIONS[version - 1] ?? [];
  return changes.flatMap((change) =>
    typeof change === "string" ? [change] : (change[engine] ?? []),
  );
}

/** The version of the database that this program reads and writes. */
export const LATEST_VERSION = MIGRATIONS.length;

/**
 * Brings the database to this program's version, or to an earlier one, each step in a transaction of
 * its own.
 * @throws Error, with nothing changed, when a newer program made the database
 */
export function migrate(database: Database, target = LATEST_VERSION): void {
  database.run(`CREATE TABLE IF NOT EXISTS schema_version (
    version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL
  )`);
  const latest = "SELECT MAX(version) AS version FROM schema_version";
  const version = database.query<{ version: number | null }, []>(latest).get()?.version ?? 0;
  refuseNewer(version);
  for (let next = version + 1; next <= target; next++) {
    apply(database, next, changesTo(next, "sqlite"));
  }
}

/** @throws Error when a newer program made the database */
export function refuseNewer(version: number): void {
  if (version <= LATEST_VERSION) return;
  throw new Error(
    `start the newer program that made it, it has version ${version} and this program knows up to version ${LATEST_VERSION}`,
  );
}

function apply(database: Database, version: number, statements: readonly string[]): void {
  const step = database.transaction(() => {
    // Written first, as this is what a second program that starts at the same time waits for.
    const { changes } = database.run(
      "INSERT INTO schema_version (version, applied_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
      [version, Date.now()],
    );
    if (changes === 0) return;
    for (const statement of statements) database.run(statement);
  });
  step.immediate();
}
