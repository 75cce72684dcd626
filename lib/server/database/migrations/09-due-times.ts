import type { Change } from "./change.ts";

export const dueTimes: readonly Change[] = [
  // Replaces the index with one that has only queued downloads. The old index had to be updated at every
  // change. Also, SQLite used it instead of `downloads_waiting` to find clients with queued downloads.
  `DROP INDEX downloads_by_due_time`,
  `CREATE INDEX downloads_by_due_time ON downloads (not_before) WHERE status = 'queued'`,
];
