import { Database } from "bun:sqlite";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { migrate } from "../../lib/server/database/migrations.ts";

/** The number of rows to write into each table; 0 by default. */
export interface Stored {
  downloads?: number;
  clients?: number;
  /** Number of audit records. */
  audit?: number;
}

/** Time between the creation of two downloads, in ms. */
const EVERY_MS = 30_000;

/**
 * Writes as many rows as years of use would. Of 20 downloads 2 are queued, 2 failed, 1 was cancelled and 15
 * are completed. Clients are named `idle-0`, `idle-1` and so on. Queued downloads belong to other clients,
 * `away-0`, `away-1` and so on, which no test connects.
 * @param path of the database, created if it does not exist. No program may write to it meanwhile
 */
export function fillDatabase(
  path: string,
  { downloads = 0, clients = 1, audit = 0 }: Stored,
): void {
  using database = new Database(path);
  database.run("PRAGMA journal_mode = WAL");
  database.run("PRAGMA synchronous = OFF");
  migrate(database);
  const now = Date.now();
  database.transaction(() => {
    if (downloads > 0) fillDownloads(database, downloads, clients, now);
    fillClients(database, clients, now);
    if (audit > 0) fillAudit(database, audit, clients, now);
  })();
}

/** Returns a function that prepares a server's folder with this many stored rows. */
export function storing(stored: Stored): (folder: string) => Promise<null> {
  return async (folder) => {
    const path = join(folder, "downloads/.server/state.db");
    await mkdir(dirname(path), { recursive: true });
    fillDatabase(path, stored);
    return null;
  };
}

const numbers = (count: number) => `WITH RECURSIVE numbers (n) AS (
  SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count - 1})`;
/** SQL that makes a UUIDv7 from `at`, a time in ms, and `n`, the row's number. */
const uuid = "printf('%08x-%04x-7000-8000-%012x', at >> 16, at & 65535, n)";

function fillDownloads(database: Database, count: number, clients: number, now: number): void {
  const identity = JSON.stringify({
    size: 1_000_000,
    mtime_ns: "1700000000123456789",
    ctime_ns: "1700000000123456789",
    inode: "1234567",
    device: "64768",
  });
  database.run(`${numbers(count)}, times AS (
      SELECT n, ${now} - ${EVERY_MS} * (${count} - n) AS at, (n * 7919) % ${clients} AS client,
        CASE WHEN n % 10 = 0 THEN 'queued' WHEN n % 10 = 1 THEN 'failed'
          WHEN n % 20 = 2 THEN 'cancelled' ELSE 'completed' END AS status
      FROM numbers
    ), named AS (
      SELECT *, CASE status WHEN 'queued' THEN 'away-' ELSE 'idle-' END || client AS client_id
      FROM times
    )
    INSERT INTO downloads (download_id, client_id, file_path, checksum, status, created_at,
      started_at, completed_at, attempts, epoch, restarts, failures, bytes_on_wire, revision,
      not_before, safe_offset, total_size, chunk_size, identity, digest, saved_path, problem_code,
      problem_message)
    SELECT ${uuid}, client_id, 'logs/till.log', 'md5', status, at, at + 1000,
      CASE WHEN status <> 'queued' THEN at + 5000 END, 1, 1, 0, 0, 1000000, n + 1,
      CASE WHEN status = 'queued' THEN at END, 1000000, 1000000, 1048576, '${identity}',
      CASE WHEN status = 'completed' THEN 'd41d8cd98f00b204e9800998ecf8427e' END,
      CASE WHEN status = 'completed' THEN client_id || '/' || n END,
      CASE WHEN status = 'failed' THEN 'file_not_found' END,
      CASE WHEN status = 'failed' THEN 'there is no such file' END
    FROM named`);
}

/**
 * Inserts clients without an enrolment. A server without ENROLL_TOKEN lets any key register as one of them.
 */
function fillClients(database: Database, count: number, now: number): void {
  database.run(`${numbers(count)}
    INSERT INTO clients (client_id, key_hash, hostname, platform, version, remote_address,
      connected_at, last_seen_at)
    SELECT 'idle-' || n, printf('%064x', n), 'till', 'linux', '1.0.0', '::1', ${now}, ${now}
    FROM numbers`);
}

function fillAudit(database: Database, count: number, clients: number, now: number): void {
  database.run(`${numbers(count)}, times AS (
      SELECT n, ${now} - 1000 * (${count} - n) AS at FROM numbers
    )
    INSERT INTO audit (audit_id, at, last_at, count, actor, address, action, client_id,
      download_id, file_path, outcome)
    SELECT ${uuid}, at, at, 1, 'till-' || (n % 50), '10.0.0.1',
      CASE n % 2 WHEN 0 THEN 'download_end' ELSE 'download_start' END, 'idle-' || (n % ${clients}),
      printf('00000000-0000-7000-8000-%012x', n), 'logs/till.log', 'ok'
    FROM times`);
}
