import type { Change } from "./change.ts";

export const storedFiles: readonly Change[] = [
  // The same path is stored in many sets of a client.
  `DROP INDEX set_files_stored`,
  `CREATE INDEX set_files_stored ON set_files (client_id, path, download_id)
    WHERE status IN ('received', 'unchanged')`,
];
