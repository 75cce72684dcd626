import { indexed } from "./engines.ts";
import { sql, Statement } from "./statement.ts";

/** Number of characters in the id of a download, a UUID. */
export const ID_LENGTH = 36;

/**
 * Condition for files whose bytes count for the set that contains them: the set received the bytes, or took
 * them over from a removed set.
 */
export const COUNTS_FOR_SET = sql`(status = 'received' OR inherited = 1)`;

/**
 * Returns a condition that the row `twin` has the same client, path and size as the row of another file.
 * Where both also have the same `digest` and `read_at`, which callers compare, they are hard links to one
 * stored file.
 * @param file the name that the query gives to the other file's row
 */
const isTwinOf = (file: string) =>
  new Statement(
    [
      `twin.client_id = ${file}.client_id AND twin.path = ${file}.path AND twin.size = ${file}.size`,
    ],
    [],
  );

const TWINS = sql`${indexed("set_files AS twin", "set_files_stored")}
  JOIN downloads AS whole ON whole.download_id = twin.download_id`;

/**
 * Conditions that the set that contains the hard link is complete, or is under way. A set under way may still
 * fail, and its hard links are then removed.
 */
const IS_COMPLETE = sql`whole.status = 'completed'`;
const IS_UNDER_WAY = sql`whole.status IN ('downloading', 'verifying')`;

/**
 * Returns a statement that makes the bytes of a removed set's files count for other sets. The bytes of each
 * file then count for the oldest complete set with a hard link to the file, or else for the oldest such set
 * under way.
 * @param slice condition that selects some of the removed set's files
 */
export function handOverOf(downloadId: string, slice: Statement): Statement {
  const oldestTwin = (setCondition: Statement) => sql`(
    SELECT twin.download_id || twin.idx FROM ${TWINS}
    WHERE ${isTwinOf("own")} AND twin.status IN ('received', 'unchanged')
      AND twin.download_id <> ${downloadId} AND twin.status = 'unchanged'
      AND twin.digest = own.digest AND twin.read_at = own.read_at
      AND whole.removed_at IS NULL AND ${setCondition}
    ORDER BY twin.download_id LIMIT 1)`;
  return sql`
    WITH own AS MATERIALIZED (
      SELECT client_id, path, size, digest, read_at FROM set_files WHERE ${slice} AND ${COUNTS_FOR_SET}
    ), found AS MATERIALIZED (
      SELECT COALESCE(${oldestTwin(IS_COMPLETE)}, ${oldestTwin(IS_UNDER_WAY)}) AS heir FROM own
    )
    UPDATE set_files SET inherited = 1
    WHERE (download_id, idx) IN (
      SELECT substr(heir, 1, ${ID_LENGTH}), CAST(substr(heir, ${ID_LENGTH + 1}) AS BIGINT)
      FROM found WHERE heir IS NOT NULL)
    RETURNING download_id`;
}

/**
 * Returns the value of `inherited` for the row `known`, a file that its set stores as a hard link. It is 1 if
 * the bytes count for this set, because the set that received the file was removed and no other set has the
 * file. Otherwise it is null.
 * @param digest checksum of the file
 * @param readAt when the client read the file
 */
export function inheritedOf(digest: Statement, readAt: Statement): Statement {
  return sql`CASE WHEN NOT EXISTS (
    SELECT 1 FROM ${TWINS}
    WHERE ${isTwinOf("known")} AND twin.status IN ('received', 'unchanged')
      AND twin.download_id <> known.download_id
      AND twin.digest = ${digest} AND twin.read_at = ${readAt}
      AND whole.removed_at IS NULL
      AND (${IS_COMPLETE} OR (${IS_UNDER_WAY} AND twin.inherited = 1))
  ) THEN 1 END`;
}
