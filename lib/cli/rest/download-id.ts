import type { ApiClient } from "./api-client.ts";
import { findId } from "./find-id.ts";

/** Downloads that are looked through at a time: a set of long patterns has a long record. */
const PAGE = "100";

/** As {@link findId}, of downloads. */
export function findDownloadId(api: ApiClient, text: string, signal: AbortSignal): Promise<string> {
  return findId(text, {
    name: "download",
    command: "downloads",
    page: async (cursor) => {
      const query = { limit: PAGE, ...(cursor !== null && { cursor }) };
      const { downloads, next_cursor } = await api.downloads(query, signal);
      return { ids: downloads.map(({ download_id }) => download_id), nextCursor: next_cursor };
    },
  });
}
