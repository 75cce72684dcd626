import type { Change } from "./change.ts";

export const dueTimes: readonly Change[] = [
  // Only downloads that wait: the index took part in every change, and in the search for clients it
  // stood in for the other one, which skips from client to client.
  `DROP INDEX downloads_by_due_time`,
  `CREATE INDEX downloads_by_due_time ON downloads (not_before) WHERE status = 'queued'`,
];
