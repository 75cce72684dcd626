import { indexed } from "./engines.ts";
import { sql, Statement } from "./statement.ts";

/** Number of characters of a download's id, a UUID. */
export const ID_LENGTH = 36;

/** Files whose bytes count for their own set. */
export const OWN = sql`(status = 'received' OR inherited = 1)`;

/** All links of one file have the same time of reading. @param file of a set, by the name of its table */
const isTwinOf = (file: string) =>
  new Statement(
    [
      `twin.client_id = ${file}.client_id AND twin.path = ${file}.path AND twin.size = ${file}.size`,
    ],
    [],
  );

const TWINS = sql`${indexed("set_files AS twin", "set_files_stored")}
  JOIN downloads AS whole ON whole.download_id = twin.download_id`;

/** A set that is under way may still fail, and then its links are removed with it. */
const IS_THERE = sql`whole.status = 'completed'`;
const IS_UNDER_WAY = sql`whole.status IN ('downloading', 'verifying')`;

/**
 * Makes each file of a slice of a removed set count for another set that has a hard link to it: for the oldest
 * complete one, or else for the oldest that is under way.
 */
export function handOverOf(downloadId: string, slice: Statement): Statement {
  const first = (isFit: Statement) => sql`(
    SELECT twin.download_id || twin.idx FROM ${TWINS}
    WHERE ${isTwinOf("own")} AND twin.status IN ('received', 'unchanged')
      AND twin.download_id <> ${downloadId} AND twin.status = 'unchanged'
      AND twin.digest = own.digest AND twin.read_at = own.read_at
      AND whole.removed_at IS NULL AND ${isFit}
    ORDER BY twin.download_id LIMIT 1)`;
  return sql`
    WITH own AS MATERIALIZED (
      SELECT client_id, path, size, digest, read_at FROM set_files WHERE ${slice} AND ${OWN}
    ), found AS MATERIALIZED (
      SELECT COALESCE(${first(IS_THERE)}, ${first(IS_UNDER_WAY)}) AS heir FROM own
    )
    UPDATE set_files SET inherited = 1
    WHERE (download_id, idx) IN (
      SELECT substr(heir, 1, ${ID_LENGTH}), CAST(substr(heir, ${ID_LENGTH + 1}) AS BIGINT)
      FROM found WHERE heir IS NOT NULL)
    RETURNING download_id`;
}

/**
 * Whether a link, `known`, was made to a file of a set that is removed meanwhile and that no other set has: 1,
 * its bytes count for its own set; otherwise null.
 * @param digest of the file
 * @param readAt when it was read
 */
export function isOrphan(digest: Statement, readAt: Statement): Statement {
  return sql`CASE WHEN NOT EXISTS (
    SELECT 1 FROM ${TWINS}
    WHERE ${isTwinOf("known")} AND twin.status IN ('received', 'unchanged')
      AND twin.download_id <> known.download_id
      AND twin.digest = ${digest} AND twin.read_at = ${readAt}
      AND whole.removed_at IS NULL
      AND (${IS_THERE} OR (${IS_UNDER_WAY} AND twin.inherited = 1))
  ) THEN 1 END`;
}
