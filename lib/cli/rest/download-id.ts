import { MAX_PAGE } from "../../api/page-limit.ts";
import { UsageError } from "../../util/flags.ts";
import type { ApiClient } from "./api-client.ts";
import { Failure } from "../program.ts";

const WHOLE = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;
const BEGINNING = /^[\da-f]{4}[\da-f-]{0,31}$/i;

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
  const { downloads } = await api.downloads({ limit: String(MAX_PAGE) }, signal);
  const ids = downloads.map(({ download_id }) => download_id);
  const [found, other] = ids.filter((id) => id.startsWith(text.toLowerCase()));
  if (found === undefined) {
    throw new Failure(
      `list them with "bun run fds downloads": none of the latest ${ids.length} begins with "${text}"`,
    );
  }
  if (other === undefined) return found;
  throw new Failure(`give more of the id: "${found}" and "${other}" both begin with "${text}"`);
}
