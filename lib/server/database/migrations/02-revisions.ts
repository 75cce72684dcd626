import type { Change } from "./change.ts";

export const revisions: readonly Change[] = [
  // Revisions counted the changes of each download; from here on they number the changes of all.
  `UPDATE downloads SET revision = numbered.number FROM (
    SELECT download_id, ROW_NUMBER() OVER (ORDER BY revision, download_id) AS number
    FROM downloads
  ) AS numbered WHERE numbered.download_id = downloads.download_id`,
  // For the latest change, and for changes after a revision.
  `CREATE INDEX downloads_by_revision ON downloads (revision)`,
];
