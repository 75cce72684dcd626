import type { Change } from "./change.ts";

export const revisions: readonly Change[] = [
  // Before this version, revisions counted the changes of each download. Since then, they number the changes
  // of all downloads.
  `UPDATE downloads SET revision = numbered.number FROM (
    SELECT download_id, ROW_NUMBER() OVER (ORDER BY revision, download_id) AS number
    FROM downloads
  ) AS numbered WHERE numbered.download_id = downloads.download_id`,
  // Finds the latest revision, and the downloads that changed after a revision.
  `CREATE INDEX downloads_by_revision ON downloads (revision)`,
];
