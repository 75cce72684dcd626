import type { Change } from "./change.ts";

export const waiting: readonly Change[] = [
  // Finds clients with queued downloads, and when these are due, in a few steps per client, however long its
  // queue is.
  `CREATE INDEX downloads_waiting ON downloads (client_id, not_before) WHERE status = 'queued'`,
];
