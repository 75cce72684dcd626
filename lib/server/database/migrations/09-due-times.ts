import type { Change } from "./change.ts";

export const dueTimes: readonly Change[] = [
  // Replaces the index by one of queued downloads only. The old index had to be updated at every change, and
  // SQLite used it to find clients with queued downloads, instead of `downloads_waiting`.
  `DROP INDEX downloads_by_due_time`,
  `CREATE INDEX downloads_by_due_time ON downloads (not_before) WHERE status = 'queued'`,
];
