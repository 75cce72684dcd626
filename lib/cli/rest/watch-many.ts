import { hasEnded } from "../../api/has-ended.ts";
import { MAX_PAGE } from "../../api/page-limit.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import type { ApiClient } from "./api-client.ts";
import { isTransient } from "./api-errors.ts";
import type { WatchOptions } from "./live-changes.ts";

/**
 * Follows many downloads until all have ended, by one stream of events: a server has only so many
 * for each token. Outlives a restart of the server.
 * @param onChange gets each record at first, whenever it is another, and once the server is back
 * @returns the records with their terminal statuses, in the order of the ids
 */
export async function watchMany(
  api: ApiClient,
  downloadIds: string[],
  onChange: (record: DownloadRecord) => void,
  options: WatchOptions = {},
): Promise<DownloadRecord[]> {
  const unended = new Set(downloadIds);
  const ended = new Map<string, DownloadRecord>();
  const take = (record: DownloadRecord) => {
    if (!unended.has(record.download_id)) return;
    onChange(record);
    if (!hasEnded(record)) return;
    unended.delete(record.download_id);
    ended.set(record.download_id, record);
  };
  let isFresh = true;
  const onDial = () => (isFresh = true);
  for await (const change of api.changes({ ...options, onDial })) {
    // The stream begins with what has not ended. From now on it tells of each end.
    if (isFresh) isFresh = !(await lookBack(api, unended, take, options.signal));
    if (change.event === "download") take(change.data);
    if (unended.size === 0) break;
  }
  return downloadIds.flatMap((id) => ended.get(id) ?? []);
}

/**
 * Looks at all downloads from the newest one to the oldest that is followed: ids are in their order.
 * @returns false if the server is away again
 */
async function lookBack(
  api: ApiClient,
  ids: ReadonlySet<string>,
  take: (record: DownloadRecord) => void,
  signal?: AbortSignal,
): Promise<boolean> {
  const [oldest = ""] = [...ids].toSorted();
  try {
    for (let cursor: string | null = null; ;) {
      const query = { limit: String(MAX_PAGE), ...(cursor !== null && { cursor }) };
      const { downloads, next_cursor } = await api.downloads(query, signal);
      for (const record of downloads) take(record);
      if (next_cursor === null || next_cursor <= oldest) return true;
      cursor = next_cursor;
    }
  } catch (error) {
    if (isTransient(error)) return false;
    throw error;
  }
}
