import type { Change } from "./change.ts";

export const jobCounts: readonly Change[] = [
  // Recreates the index with `retried_as`. If a condition uses a column that the index lacks, SQLite reads
  // the row, even if the condition of the index implies the column's value.
  `DROP INDEX downloads_of_job`,
  `CREATE INDEX downloads_of_job ON downloads
    (job_id, status, download_id, client_id, safe_offset, total_size, files_received,
      files_skipped, retried_as)
    WHERE job_id IS NOT NULL AND retried_as IS NULL`,
  // Finds downloads of a job that were retried. Each has the id of its retry, whose own row may not exist
  // yet.
  `CREATE INDEX downloads_of_job_retried ON downloads (job_id, client_id, download_id)
    WHERE job_id IS NOT NULL AND retried_as IS NOT NULL`,
];
