import { type Caller, OutOfScope } from "../../access/caller.ts";
import type { Clients } from "../../clients/clients.ts";
import type { Download } from "../../download.ts";
import { downloadNotFound } from "../../downloads/commands.ts";
import type { Downloads } from "../../downloads/downloads.ts";

/** The objects that decide whether a caller may see a download. */
export interface DownloadLookup {
  downloads: Pick<Downloads, "get">;
  clients: Pick<Clients, "maySee">;
}

/**
 * Returns a download that the caller may see.
 * @throws FdsError `download_not_found`, also if the caller may not see the download
 */
export async function seenDownload(
  { downloads, clients }: DownloadLookup,
  downloadId: string,
  caller: Caller,
): Promise<Download> {
  const found = await downloads.get(downloadId);
  if (!(await clients.maySee(caller, found.clientId))) {
    throw new OutOfScope(downloadNotFound(), found.clientId);
  }
  return found;
}

/** Returns the fields of a download that the audit records. */
export function aboutOf({ downloadId, clientId, filePath }: Download) {
  return { downloadId, clientId, filePath };
}
