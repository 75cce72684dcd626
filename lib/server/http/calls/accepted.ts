import type { DownloadAccepted } from "../../../api/schemas.ts";
import type { Download } from "../../download.ts";
import { json, type JsonResponse } from "../json.ts";

/**
 * Returns the response to a call that created a download.
 * @param folder relative path from the call's URL to `/api/downloads/`, for the Location header. An absolute
 * path would be wrong behind a proxy that adds a prefix.
 */
export function accepted(
  download: Download,
  message: string,
  folder: string,
): JsonResponse<DownloadAccepted> {
  const { downloadId, status } = download;
  const body: DownloadAccepted = { success: true, download_id: downloadId, status, message };
  return json(body, { status: 202, headers: { Location: `${folder}${downloadId}` } });
}
