import type { ApiClient } from "./api-client.ts";
import { findId } from "./find-id.ts";

/** Downloads per page of the search; records of sets with many patterns are long. */
const PAGE = "100";

/** See {@link findId}, for downloads. */
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
