import { indexed } from "./engines.ts";
import { sql, type Statement } from "./statement.ts";

/** Number of characters of a download's id, a UUID. */
export const ID_LENGTH = 36;

/** Files whose bytes count for their own set. */
export const OWN = sql`(status = 'received' OR inherited = 1)`;

/**
 * Counts the bytes of a slice of a removed set for the next set with a hard link to them. All links of one
 * file have the same time of reading.
 */
export function handOverOf(downloadId: string, slice: Statement): Statement {
  const twins = indexed("set_files AS twin", "set_files_stored");
  return sql`
    WITH own AS MATERIALIZED (
      SELECT client_id, path, size, digest, read_at FROM set_files WHERE ${slice} AND ${OWN}
    ), found AS MATERIALIZED (
      SELECT (
        SELECT twin.download_id || twin.idx FROM ${twins}
        JOIN downloads AS whole ON whole.download_id = twin.download_id
        WHERE twin.client_id = own.client_id AND twin.path = own.path
          AND twin.status IN ('received', 'unchanged') AND twin.download_id > ${downloadId}
          AND twin.status = 'unchanged' AND twin.size = own.size AND twin.digest = own.digest
          AND twin.read_at = own.read_at AND whole.removed_at IS NULL
          AND whole.status IN ('downloading', 'verifying', 'completed')
        ORDER BY twin.download_id LIMIT 1) AS heir
      FROM own
    )
    UPDATE set_files SET inherited = 1
    WHERE (download_id, idx) IN (
      SELECT substr(heir, 1, ${ID_LENGTH}), CAST(substr(heir, ${ID_LENGTH + 1}) AS BIGINT)
      FROM found WHERE heir IS NOT NULL)
    RETURNING download_id`;
}
