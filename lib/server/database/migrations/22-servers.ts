import type { Change } from "./change.ts";

export const servers: readonly Change[] = [
  // Id of the lease under which the latest attempt runs. With SQLite there is only one server, and no lease.
  `ALTER TABLE downloads ADD COLUMN owner TEXT`,
  {
    postgres: `CREATE INDEX downloads_by_owner ON downloads (owner)
      WHERE status IN ('downloading', 'verifying')`,
  },
  // The leases of servers that use this database. A server without a row has lost its lease.
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
  // The session of each connected client, with the lease of the server to which the client is connected.
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
  // Returns the time of the database's clock, which all servers share, in ms since 1970.
  {
    postgres: `CREATE FUNCTION now_ms() RETURNS BIGINT LANGUAGE sql VOLATILE AS $$
      SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT $$`,
  },
  // Counts the running downloads of a job. A lock lets only one transaction count at a time, so that no other
  // one claims a download of this job meanwhile.
  {
    postgres: `CREATE FUNCTION active_of_job(job TEXT) RETURNS BIGINT LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_advisory_xact_lock(730580317, hashtext(job));
        RETURN (SELECT COUNT(*) FROM downloads
          WHERE job_id = job AND retried_as IS NULL AND status IN ('downloading', 'verifying'));
      END $$`,
  },
];
