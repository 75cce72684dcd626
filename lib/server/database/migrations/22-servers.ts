import type { Change } from "./change.ts";

export const servers: readonly Change[] = [
  // The lease of the server whose attempt is the latest one; SQLite has one server, and no leases.
  `ALTER TABLE downloads ADD COLUMN owner TEXT`,
  {
    postgres: `CREATE INDEX downloads_by_owner ON downloads (owner)
      WHERE status IN ('downloading', 'verifying')`,
  },
  // Who works on this database. A server whose row is gone has lost its lease.
  {
    postgres: `CREATE TABLE servers (
      lease_id TEXT PRIMARY KEY,
      server_id TEXT NOT NULL,
      process TEXT,
      storage TEXT NOT NULL,
      renewed_at BIGINT NOT NULL,
      expires_at BIGINT NOT NULL
    )`,
  },
  // Which server a client is connected to.
  {
    postgres: `CREATE TABLE client_sessions (
      client_id TEXT PRIMARY KEY,
      session_id TEXT NOT NULL,
      lease_id TEXT NOT NULL,
      problem TEXT,
      problem_at BIGINT
    )`,
  },
  { postgres: `CREATE INDEX client_sessions_by_lease ON client_sessions (lease_id)` },
  // The one clock that all servers have.
  {
    postgres: `CREATE FUNCTION now_ms() RETURNS BIGINT LANGUAGE sql VOLATILE AS $$
      SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT $$`,
  },
  // How many downloads of a job run, counted by one at a time, as those of a client are.
  {
    postgres: `CREATE FUNCTION active_of_job(job TEXT) RETURNS BIGINT LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_advisory_xact_lock(730580317, hashtext(job));
        RETURN (SELECT COUNT(*) FROM downloads
          WHERE job_id = job AND retried_as IS NULL AND status IN ('downloading', 'verifying'));
      END $$`,
  },
];
