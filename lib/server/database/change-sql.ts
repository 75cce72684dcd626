import { type Completed, type Download, durableOffsetOf } from "../download.ts";
import { nextRevision } from "./engines.ts";
import { ruleOf } from "./keep-sql.ts";
import { type DownloadRow, toRow } from "./rows.ts";
import { assignments, sql, type Statement } from "./statement.ts";

/**
 * Changes the row of a download, unless somebody else changed it first; gives the row that is there then.
 * @param before what is known to be in the row: only columns that differ are written
 */
export function changeOf(next: Download, before: Download | undefined): Statement {
  const { downloadId, revision, ...wanted } = toRow(next);
  const known: Partial<DownloadRow> = before ? toRow(before) : {};
  const isOther = ([name, value]: [string, unknown]) => known[name as keyof DownloadRow] !== value;
  // Each column takes time to prepare, and one that is in an index changes the index too.
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

/** A power cut costs at most so many bytes sent again, beside what was not yet safe. */
const DURABLE_EACH = 64 * 1024 * 1024;

/**
 * Whether a power cut may undo a change: an attempt that its row knows nothing of is made again. Of
 * its checkpoints one now and then has to stay, or a large file would begin anew; and one that says
 * less than before has to, as the part will soon hold no more.
 */
export function mayBeTakenBack(next: Download, before: Download | undefined): boolean {
  if (next.status !== "downloading" || !before) return false;
  const [now, then] = [durableOffsetOf(next), durableOffsetOf(before)];
  return now >= then && Math.floor(now / DURABLE_EACH) === Math.floor(then / DURABLE_EACH);
}

/** Whether a download of a job comes to its end: what is kept of it is known then. */
function isCompletion(
  next: Download,
  before: Download | undefined,
): next is Completed & { jobId: string } {
  return next.status === "completed" && next.jobId !== null && before?.status !== "completed";
}
