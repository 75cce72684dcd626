import type { Change } from "./change.ts";

export const schedules: readonly Change[] = [
  // Schedules, which make jobs at their times.
  `CREATE TABLE schedules (
    schedule_id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    cron TEXT NOT NULL,
    time_zone TEXT,
    plan TEXT NOT NULL,
    job TEXT NOT NULL,
    spread_ms BIGINT,
    catch_up_ms BIGINT NOT NULL,
    overlap TEXT NOT NULL,
    due TEXT NOT NULL,
    expect TEXT NOT NULL,
    keep TEXT,
    paused TEXT,
    since BIGINT NOT NULL,
    timing BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT,
    created_with TEXT,
    revision BIGINT NOT NULL
  )`,
  // The next time at which each schedule makes a job, in each time zone.
  `CREATE TABLE schedule_times (
    schedule_id TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    at BIGINT NOT NULL,
    timing BIGINT NOT NULL,
    PRIMARY KEY (schedule_id, time_zone)
  )`,
  `CREATE INDEX schedule_times_by_time ON schedule_times (at)`,
  // The jobs that schedules made. The primary key ensures that a schedule makes only one job for each local
  // time in each zone, even if several servers try at the same time.
  `CREATE TABLE schedule_jobs (
    schedule_id TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    local_time TEXT NOT NULL,
    at BIGINT NOT NULL,
    job_id TEXT NOT NULL,
    is_made BIGINT NOT NULL,
    PRIMARY KEY (schedule_id, time_zone, local_time)
  )`,
  `ALTER TABLE jobs ADD COLUMN schedule TEXT`,
  `ALTER TABLE jobs ADD COLUMN occurs_at BIGINT`,
  `ALTER TABLE jobs ADD COLUMN occurs_local TEXT`,
  `CREATE INDEX jobs_of_schedule ON jobs (schedule)
    WHERE schedule IS NOT NULL AND status IN ('running', 'paused')`,
  // A delivery is what a schedule expects of a client at a local time.
  `CREATE TABLE deliveries (
    schedule_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    local_time TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    scheduled_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    job_id TEXT,
    status TEXT NOT NULL,
    download_id TEXT,
    files BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (schedule_id, client_id, local_time)
  )`,
  `CREATE INDEX deliveries_by_time ON deliveries
    (schedule_id, local_time DESC, client_id, status)`,
  `CREATE INDEX deliveries_by_status ON deliveries
    (schedule_id, status, local_time DESC, client_id)`,
  `CREATE INDEX deliveries_of_job ON deliveries (job_id, client_id) WHERE job_id IS NOT NULL`,
  `CREATE INDEX deliveries_due ON deliveries (due_at) WHERE status IN ('expected', 'running')`,
  // Finds deliveries that were asked for and of which no file has arrived.
  `CREATE INDEX deliveries_open ON deliveries (schedule_id, client_id, local_time)
    WHERE status IN ('expected', 'running', 'missing')`,
];
