import type { Change } from "./change.ts";

export const storedFiles: readonly Change[] = [
  // Recreates the index with the download's id, because many sets of a client store a file with the same
  // path.
  `DROP INDEX set_files_stored`,
  `CREATE INDEX set_files_stored ON set_files (client_id, path, download_id)
    WHERE status IN ('received', 'unchanged')`,
];
