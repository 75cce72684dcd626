import type { Change } from "./change.ts";

export const scheduleRuns: readonly Change[] = [
  // Requested runs of schedules. Each row is removed once its job is made.
  `CREATE TABLE schedule_runs (
    job_id TEXT PRIMARY KEY,
    schedule_id TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    local_time TEXT NOT NULL,
    at BIGINT NOT NULL,
    client_ids TEXT NOT NULL
  )`,
];
