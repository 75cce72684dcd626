import * as z from "zod";
import { FdsError } from "../../protocol/errors.ts";
import { ClientId } from "../../protocol/messages.ts";
import { isSafeFileName } from "../../util/safe-file-name.ts";

/*
 * Checks of ids and paths. Callers have checked them already, but a storage checks every name again before it
 * uses the name on a disk or in a bucket.
 */

const DownloadId = z.uuid();

/** Whether a text is the id of a download. */
export function isDownloadId(text: string): boolean {
  return DownloadId.safeParse(text).success;
}

/**
 * Returns the id if it is a valid download id.
 * @throws FdsError `storage_error` if it is not
 */
export function checkedDownloadId(downloadId: string): string {
  if (isDownloadId(downloadId)) return downloadId;
  throw new FdsError("storage_error", `"${downloadId}" is not the id of a download`);
}

/**
 * Returns the id if it is a valid client id.
 * @throws FdsError `storage_error` if it is not
 */
export function checkedClientId(clientId: string): string {
  if (ClientId.safeParse(clientId).success) return clientId;
  throw new FdsError("storage_error", `"${clientId}" is not the id of a client`);
}

/**
 * Returns the path of a published file, `<client_id>/<names>`, if it is valid. The file may be in a set.
 * @throws FdsError `storage_error` if the path is not valid
 */
export function checkedFilePath(savedPath: string): string {
  const [clientId, ...names] = savedPath.split("/");
  const isSafe = ClientId.safeParse(clientId).success && names.every(isSafeFileName);
  if (isSafe && names.length > 0) return savedPath;
  throw new FdsError("storage_error", `"${savedPath}" is not the path of a published file`);
}

/**
 * Returns the path of a file or set directly in a client's folder, if it is valid.
 * @throws FdsError `storage_error` if the path is not valid
 */
export function checkedPublishedPath(savedPath: string): string {
  if (savedPath.split("/").length === 2) return checkedFilePath(savedPath);
  throw new FdsError("storage_error", `"${savedPath}" is not the path of a published file`);
}

/**
 * Returns the path of a file within its set, if it is valid.
 * @throws FdsError `storage_error` if the path is not valid
 */
export function checkedSetFile(path: string): string {
  if (path.split("/").every((name) => isSafeFileName(name))) return path;
  throw new FdsError("storage_error", `"${path}" is not the path of a file in a set`);
}
