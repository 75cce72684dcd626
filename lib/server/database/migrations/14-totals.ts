import type { Change } from "./change.ts";

export const totals: readonly Change[] = [
  // Recreates the indexes with all columns that totals of downloads need, so that totals read no rows.
  `DROP INDEX downloads_by_status`,
  `CREATE INDEX downloads_by_status ON downloads (status, download_id, safe_offset)`,
  `DROP INDEX downloads_by_client`,
  `CREATE INDEX downloads_by_client ON downloads (client_id, download_id, status, safe_offset)`,
  // Finds downloads that ended after a revision, by client.
  `CREATE INDEX downloads_ended ON downloads (revision, client_id)
    WHERE status IN ('completed', 'failed', 'cancelled')`,
  // Id of the download that retries this one. A failed download without it is an open failure.
  `ALTER TABLE downloads ADD COLUMN retried_as TEXT`,
  `CREATE INDEX downloads_open ON downloads (download_id, status, safe_offset)
    WHERE status = 'failed' AND retried_as IS NULL`,
  `CREATE INDEX downloads_open_by_client ON downloads
    (client_id, download_id, status, safe_offset)
    WHERE status = 'failed' AND retried_as IS NULL`,
  `CREATE INDEX audit_by_download ON audit (download_id, audit_id)
    WHERE download_id IS NOT NULL`,
];
