import type { Change } from "./change.ts";

export const waiting: readonly Change[] = [
  // Finds clients with queued downloads, and the due times of these downloads, in a few steps per client,
  // even if the client's queue is long.
  `CREATE INDEX downloads_waiting ON downloads (client_id, not_before) WHERE status = 'queued'`,
];
