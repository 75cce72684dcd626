import { type Completed, type Download, durableOffsetOf } from "../download.ts";
import { nextRevision } from "./engines.ts";
import { ruleOf } from "./keep-sql.ts";
import { type DownloadRow, toRow } from "./rows.ts";
import { assignments, sql, type Statement } from "./statement.ts";

/**
 * The statement that changes a download's row, unless somebody else changed it first. It returns the row.
 * @param before known contents of the row; only columns that differ are written
 */
export function changeOf(next: Download, before: Download | undefined): Statement {
  const { downloadId, revision, ...wanted } = toRow(next);
  const known: Partial<DownloadRow> = before ? toRow(before) : {};
  const isOther = ([name, value]: [string, unknown]) => known[name as keyof DownloadRow] !== value;
  // Only columns that differ: each takes time to prepare, and one in an index changes that index too.
  const columns = {
    ...Object.fromEntries(Object.entries(wanted).filter(isOther)),
    ...(isCompletion(next, before) && ruleOf(next.jobId, next.completedAt)),
    revision: nextRevision(),
  };
  return sql`
    UPDATE downloads SET ${assignments(columns)}
    WHERE download_id = ${downloadId} AND revision = ${revision}
    RETURNING *`;
}

/**
 * Bytes after which a checkpoint is kept: what a power cut costs at most, besides bytes that were not
 * durable.
 */
const DURABLE_EACH = 64 * 1024 * 1024;

/**
 * Whether a power cut may undo a change: an attempt that is not in the row is simply made again. But some
 * checkpoints have to be kept, or a large file would start again from its beginning; and so does a
 * checkpoint that goes backwards, as the part will soon be shorter.
 */
export function mayBeTakenBack(next: Download, before: Download | undefined): boolean {
  if (next.status !== "downloading" || !before) return false;
  const [now, then] = [durableOffsetOf(next), durableOffsetOf(before)];
  return now >= then && Math.floor(now / DURABLE_EACH) === Math.floor(then / DURABLE_EACH);
}

/** Whether a change completes a download of a job, so that its rule of retention becomes known. */
function isCompletion(
  next: Download,
  before: Download | undefined,
): next is Completed & { jobId: string } {
  return next.status === "completed" && next.jobId !== null && before?.status !== "completed";
}
