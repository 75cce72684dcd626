import { type Caller, OutOfScope, sees } from "../../access/caller.ts";
import type { Download } from "../../download.ts";
import { downloadNotFound, type Downloads } from "../../downloads/downloads.ts";

/**
 * A download that a caller names.
 * @throws FdsError `download_not_found`, also for one that the caller does not see
 */
export async function seenDownload(
  downloads: Pick<Downloads, "get">,
  downloadId: string,
  caller: Caller,
): Promise<Download> {
  const found = await downloads.get(downloadId);
  if (!sees(caller, found.clientId)) throw new OutOfScope(downloadNotFound(), found.clientId);
  return found;
}

/** What the audit is told of a download. */
export function aboutOf({ downloadId, clientId, filePath }: Download) {
  return { downloadId, clientId, filePath };
}
