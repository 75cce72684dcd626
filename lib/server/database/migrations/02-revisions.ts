import type { Change } from "./change.ts";

export const revisions: readonly Change[] = [
  // A revision was counted for each download, now it is for all of them.
  `UPDATE downloads SET revision = numbered.number FROM (
    SELECT download_id, ROW_NUMBER() OVER (ORDER BY revision, download_id) AS number
    FROM downloads
  ) AS numbered WHERE numbered.download_id = downloads.download_id`,
  // What changed last, and what changed since.
  `CREATE INDEX downloads_by_revision ON downloads (revision)`,
];
