import type { Change } from "./change.ts";

export const jobCounts: readonly Change[] = [
  // SQLite looks at the row for each column that a condition names, also where the index implies it.
  `DROP INDEX downloads_of_job`,
  `CREATE INDEX downloads_of_job ON downloads
    (job_id, status, download_id, client_id, safe_offset, total_size, files_received,
      files_skipped, retried_as)
    WHERE job_id IS NOT NULL AND retried_as IS NULL`,
  // The download that was to come in place of another one, where it was not made.
  `CREATE INDEX downloads_of_job_retried ON downloads (job_id, client_id, download_id)
    WHERE job_id IS NOT NULL AND retried_as IS NOT NULL`,
];
