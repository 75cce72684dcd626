import type { DownloadAccepted } from "../../../api/schemas.ts";
import type { Download } from "../../download.ts";
import { json, type JsonResponse } from "../json.ts";

/**
 * The answer to a call that made a download.
 * @param folder path of downloads relative to the call, as the server may be below a path of a proxy
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
