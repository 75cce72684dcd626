import type { Change } from "./change.ts";

/** Returns SQL for the bytes of a download that count toward its client's quota. @param row NEW or OLD */
const countOf = (row: string) =>
  `(CASE WHEN ${row}.status = 'completed' AND ${row}.removed_at IS NULL
    THEN ${row}.stored_bytes ELSE 0 END)`;

const HAS_OTHER_COUNT = `${countOf("NEW")} <> ${countOf("OLD")}`;

const ADD_TO_USAGE = `
  INSERT INTO client_usage (client_id, bytes)
  VALUES (NEW.client_id, ${countOf("NEW")} - ${countOf("OLD")})
  ON CONFLICT (client_id) DO UPDATE SET bytes = client_usage.bytes + excluded.bytes;`;

export const retention: readonly Change[] = [
  // Columns for holds, and for the removal of content. A row is marked as removed before its content is
  // deleted.
  `ALTER TABLE downloads ADD COLUMN held BIGINT NOT NULL DEFAULT 0`,
  `ALTER TABLE downloads ADD COLUMN removed_at BIGINT`,
  `ALTER TABLE downloads ADD COLUMN bytes_gone BIGINT NOT NULL DEFAULT 0`,
  `CREATE INDEX downloads_removing ON downloads (download_id)
    WHERE removed_at IS NOT NULL AND bytes_gone = 0`,
  // The retention rule of a job, which is copied to each of its downloads when the download completes.
  `ALTER TABLE jobs ADD COLUMN keep_days BIGINT`,
  `ALTER TABLE jobs ADD COLUMN keep_last BIGINT`,
  `ALTER TABLE downloads ADD COLUMN keep_days BIGINT`,
  `ALTER TABLE downloads ADD COLUMN keep_last BIGINT`,
  // `keep_last` counts the newest downloads of a client within this group: all jobs of a schedule, or a
  // single job.
  `ALTER TABLE downloads ADD COLUMN keep_group TEXT`,
  `CREATE INDEX downloads_kept ON downloads (keep_group, client_id, completed_at, download_id)
    WHERE status = 'completed' AND removed_at IS NULL AND keep_group IS NOT NULL`,
  // 1: this download has completed, and older downloads may therefore no longer be among the newest
  // `keep_last`. This must still be checked.
  `ALTER TABLE downloads ADD COLUMN unranked BIGINT`,
  `CREATE INDEX downloads_unranked ON downloads (download_id) WHERE unranked = 1`,
  // When the retention rule stops keeping the content, in ms since 1970; null: the rule keeps it for now, or
  // there is no rule.
  `ALTER TABLE downloads ADD COLUMN remove_at BIGINT`,
  `CREATE INDEX downloads_to_remove ON downloads (remove_at, download_id)
    WHERE remove_at IS NOT NULL AND removed_at IS NULL AND held = 0`,
  // Finds content without a retention rule, oldest first.
  `CREATE INDEX downloads_without_rule ON downloads (completed_at, download_id)
    WHERE status = 'completed' AND removed_at IS NULL AND held = 0
      AND keep_days IS NULL AND keep_last IS NULL`,
  // Finds the stored content of a client.
  `CREATE INDEX downloads_stored ON downloads (client_id, download_id)
    WHERE status = 'completed' AND removed_at IS NULL`,
  `ALTER TABLE downloads ADD COLUMN stored_bytes BIGINT NOT NULL DEFAULT 0`,
  `UPDATE downloads SET stored_bytes = total_size WHERE status = 'completed'`,
  // 1: the file is a hard link whose bytes count for this set, as the set that received the file was removed.
  `ALTER TABLE set_files ADD COLUMN inherited BIGINT`,
  `CREATE TABLE client_usage (client_id TEXT PRIMARY KEY, bytes BIGINT NOT NULL)`,
  `INSERT INTO client_usage (client_id, bytes)
    SELECT client_id, SUM(stored_bytes) FROM downloads WHERE status = 'completed'
    GROUP BY client_id`,
  // This trigger keeps the sum of each client's bytes. It runs in the statement that changes a download, so
  // the sum always matches the rows.
  {
    sqlite: `CREATE TRIGGER downloads_usage
      AFTER UPDATE OF status, removed_at, stored_bytes ON downloads
      WHEN ${HAS_OTHER_COUNT} BEGIN ${ADD_TO_USAGE} END`,
    postgres: `CREATE FUNCTION count_usage() RETURNS TRIGGER LANGUAGE plpgsql AS $$
      BEGIN ${ADD_TO_USAGE} RETURN NULL; END $$`,
  },
  {
    postgres: `CREATE TRIGGER downloads_usage
      AFTER UPDATE OF status, removed_at, stored_bytes ON downloads
      FOR EACH ROW WHEN (${HAS_OTHER_COUNT}) EXECUTE FUNCTION count_usage()`,
  },
];
