import { hasEnded } from "../../api/has-ended.ts";
import { MAX_PAGE } from "../../api/page-limit.ts";
import type { JobRecord } from "../../api/jobs.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import type { ApiClient } from "./api-client.ts";
import { isTransient } from "./api-errors.ts";
import type { WatchOptions } from "./live-changes.ts";

export interface WatchManyOptions extends WatchOptions {
  /** Called with each job that the server reports: after each connect, and at each change of a job. */
  onJob?: (job: JobRecord) => void;
}

/**
 * Follows many downloads until all have ended, even across restarts of the server. The downloads share one
 * event stream, as a server limits the number of streams of each token.
 * @param onChange called with each record at first, after each change, and after each reconnect
 * @returns the final records, in the order of the ids
 */
export async function watchMany(
  api: ApiClient,
  downloadIds: string[],
  onChange: (record: DownloadRecord) => void,
  { onJob, ...options }: WatchManyOptions = {},
): Promise<DownloadRecord[]> {
  const unended = new Set(downloadIds);
  const ended = new Map<string, DownloadRecord>();
  const onRecord = (record: DownloadRecord) => {
    if (!unended.has(record.download_id)) return;
    onChange(record);
    if (!hasEnded(record)) return;
    unended.delete(record.download_id);
    ended.set(record.download_id, record);
  };
  let isNewStream = true;
  const onDial = () => (isNewStream = true);
  for await (const change of api.changes({ ...options, onDial })) {
    // A new event stream can omit downloads that ended before the connect, so their records are read once
    // after each connect.
    if (isNewStream)
      isNewStream = !(await readCurrentRecords(api, unended, onRecord, options.signal));
    if (change.event === "download") onRecord(change.data);
    else if (change.event === "job") onJob?.(change.data);
    if (unended.size === 0) break;
  }
  return downloadIds.flatMap((id) => ended.get(id) ?? []);
}

/**
 * Passes the records of all followed downloads to `take`. The server lists downloads by id, newest first, so
 * reading stops at the oldest followed id.
 * @returns false if the server is unreachable or busy
 */
async function readCurrentRecords(
  api: ApiClient,
  ids: ReadonlySet<string>,
  onRecord: (record: DownloadRecord) => void,
  signal?: AbortSignal,
): Promise<boolean> {
  const [oldest = ""] = [...ids].toSorted();
  try {
    for (let cursor: string | null = null; ;) {
      const query = { limit: String(MAX_PAGE), ...(cursor !== null && { cursor }) };
      const { downloads, next_cursor } = await api.downloads(query, signal);
      for (const record of downloads) onRecord(record);
      if (next_cursor === null || next_cursor <= oldest) return true;
      cursor = next_cursor;
    }
  } catch (error) {
    if (isTransient(error)) return false;
    throw error;
  }
}
