import type { Change } from "./change.ts";

export const jobCounts: readonly Change[] = [
  // SQLite reads the row for each column in a condition, even where the index implies the condition.
  `DROP INDEX downloads_of_job`,
  `CREATE INDEX downloads_of_job ON downloads
    (job_id, status, download_id, client_id, safe_offset, total_size, files_received,
      files_skipped, retried_as)
    WHERE job_id IS NOT NULL AND retried_as IS NULL`,
  // For downloads that were announced but not made.
  `CREATE INDEX downloads_of_job_retried ON downloads (job_id, client_id, download_id)
    WHERE job_id IS NOT NULL AND retried_as IS NOT NULL`,
];
