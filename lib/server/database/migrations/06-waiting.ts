import type { Change } from "./change.ts";

export const waiting: readonly Change[] = [
  // Whose downloads wait, and since when: found with a few steps for each client, however long
  // its queue is.
  `CREATE INDEX downloads_waiting ON downloads (client_id, not_before) WHERE status = 'queued'`,
];
