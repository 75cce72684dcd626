import { UsageError } from "../../util/flags.ts";
import type { ApiClient } from "./api-client.ts";
import { Failure } from "../program.ts";

const WHOLE = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;
const BEGINNING = /^[\da-f]{4}[\da-f-]{0,31}$/i;

/** Downloads that are looked through, and how many at a time: a set of long patterns has a long record. */
const MOST = 1000;
const PAGE = 100;

/**
 * Finds the download that a person means, by its id or the beginning of it.
 * @throws UsageError for what cannot be the beginning of one
 * @throws Failure where no download, or more than one, begins like this
 */
export async function findDownloadId(
  api: ApiClient,
  text: string,
  signal: AbortSignal,
): Promise<string> {
  if (WHOLE.test(text)) return text.toLowerCase();
  if (!BEGINNING.test(text)) {
    throw new UsageError(`ID is "${text}", expected the id of a download or its first characters`);
  }
  const beginning = text.toLowerCase();
  const ids: string[] = [];
  for (let cursor: string | null = null; ids.length < MOST;) {
    const query = { limit: String(PAGE), ...(cursor !== null && { cursor }) };
    const { downloads, next_cursor } = await api.downloads(query, signal);
    ids.push(...downloads.map(({ download_id }) => download_id));
    // The newest come first, and ids are in the order of time: no older one begins like this.
    if (downloads.length === 0 || next_cursor === null || next_cursor < beginning) break;
    cursor = next_cursor;
  }
  const [found, other] = ids.filter((id) => id.startsWith(beginning));
  if (found === undefined) {
    throw new Failure(
      `list them with "bun run fds downloads": none of the latest ${ids.length} begins with "${text}"`,
    );
  }
  if (other === undefined) return found;
  throw new Failure(`give more of the id: "${found}" and "${other}" both begin with "${text}"`);
}
