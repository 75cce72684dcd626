import type { Change } from "./change.ts";

export const dueTimes: readonly Change[] = [
  // Only waiting downloads. The old index took part in every change, and SQLite used it to find clients
  // instead of the index that skips from client to client.
  `DROP INDEX downloads_by_due_time`,
  `CREATE INDEX downloads_by_due_time ON downloads (not_before) WHERE status = 'queued'`,
];
