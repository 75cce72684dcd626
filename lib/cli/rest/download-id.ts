import type { ApiClient } from "./api-client.ts";
import { findId } from "./find-id.ts";

/** Page size of the search for a download's id. It is small, as the record of a set can be long. */
const PAGE_SIZE = "100";

/** Finds a download by its id or the beginning of its id; see {@link findId}. */
export function findDownloadId(api: ApiClient, text: string, signal: AbortSignal): Promise<string> {
  return findId(text, {
    name: "download",
    command: "downloads",
    fetchPage: async (cursor) => {
      const query = { limit: PAGE_SIZE, ...(cursor !== null && { cursor }) };
      const { downloads, next_cursor } = await api.downloads(query, signal);
      return { ids: downloads.map(({ download_id }) => download_id), nextCursor: next_cursor };
    },
  });
}
