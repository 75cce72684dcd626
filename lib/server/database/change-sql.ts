import { type Completed, type Download, durableOffsetOf } from "../download.ts";
import { nextRevision } from "./engines.ts";
import { ruleOf } from "./keep-sql.ts";
import { type DownloadRow, toRow } from "./rows.ts";
import { assignments, sql, type Statement } from "./statement.ts";

/**
 * Returns the statement that writes a download's row if the row still has `next.revision`. The statement
 * returns the new row, or no row if another change came first.
 * @param before contents of the row at this revision, so that only columns that differ are written;
 *   undefined: not known
 */
export function changeOf(next: Download, before: Download | undefined): Statement {
  const { downloadId, revision, ...wanted } = toRow(next);
  const known: Partial<DownloadRow> = before ? toRow(before) : {};
  const isChanged = ([name, value]: [string, unknown]) =>
    known[name as keyof DownloadRow] !== value;
  // Writes only columns that differ. Each column takes time to prepare, and an indexed one changes its index,
  // too.
  const columns = {
    ...Object.fromEntries(Object.entries(wanted).filter(isChanged)),
    ...(isCompletion(next, before) && ruleOf(next.jobId, next.completedAt)),
    revision: nextRevision(),
  };
  return sql`
    UPDATE downloads SET ${assignments(columns)}
    WHERE download_id = ${downloadId} AND revision = ${revision}
    RETURNING *`;
}

/**
 * Number of bytes of a download after which its row is flushed to disk. A power cut undoes at most this much
 * progress, besides bytes that were not durable.
 */
const FLUSH_EVERY_BYTES = 64 * 1024 * 1024;

/**
 * Reports whether a change of a running download needs no flush, because a power cut may undo it without
 * harm. An undone attempt is simply made again. But progress past a multiple of {@link FLUSH_EVERY_BYTES}
 * bytes is flushed, as a large file would otherwise start again from its beginning. A change to a lower
 * number of durable bytes is flushed, too, as the part will soon be shorter.
 */
export function mayBeUndone(next: Download, before: Download | undefined): boolean {
  if (next.status !== "downloading" || !before) return false;
  const [now, then] = [durableOffsetOf(next), durableOffsetOf(before)];
  return (
    now >= then && Math.floor(now / FLUSH_EVERY_BYTES) === Math.floor(then / FLUSH_EVERY_BYTES)
  );
}

/**
 * Reports whether a change completes a download of a job, so that the job's rule of retention is copied to
 * it.
 */
function isCompletion(
  next: Download,
  before: Download | undefined,
): next is Completed & { jobId: string } {
  return next.status === "completed" && next.jobId !== null && before?.status !== "completed";
}
