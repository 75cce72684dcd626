import * as z from "zod";
import { FdsError } from "../../protocol/errors.ts";
import { ClientId } from "../../protocol/messages.ts";
import { isSafeFileName } from "../../util/safe-file-name.ts";

/*
 * Checks of ids and paths. They were checked long before they reach a storage; still, every name on a disk
 * or in a bucket is checked here again.
 */

const DownloadId = z.uuid();

/** Whether a text is the id of a download. */
export function isDownloadId(text: string): boolean {
  return DownloadId.safeParse(text).success;
}

/** @throws FdsError `storage_error` */
export function checkedDownloadId(downloadId: string): string {
  if (isDownloadId(downloadId)) return downloadId;
  throw new FdsError("storage_error", `"${downloadId}" is not the id of a download`);
}

/** @throws FdsError `storage_error` */
export function checkedClientId(clientId: string): string {
  if (ClientId.safeParse(clientId).success) return clientId;
  throw new FdsError("storage_error", `"${clientId}" is not the id of a client`);
}

/**
 * Checks the path of a published file, including those in sets: `<client_id>/<names>`.
 * @throws FdsError `storage_error`
 */
export function checkedFilePath(savedPath: string): string {
  const [clientId, ...names] = savedPath.split("/");
  const isSafe = ClientId.safeParse(clientId).success && names.every(isSafeFileName);
  if (isSafe && names.length > 0) return savedPath;
  throw new FdsError("storage_error", `"${savedPath}" is not the path of a published file`);
}

/** Checks a path directly in a client's folder: a file, or a set's folder. @throws as above */
export function checkedPublishedPath(savedPath: string): string {
  if (savedPath.split("/").length === 2) return checkedFilePath(savedPath);
  throw new FdsError("storage_error", `"${savedPath}" is not the path of a published file`);
}

/** Checks the path of a file within its set. @throws FdsError `storage_error` */
export function checkedSetFile(path: string): string {
  if (path.split("/").every((name) => isSafeFileName(name))) return path;
  throw new FdsError("storage_error", `"${path}" is not the path of a file in a set`);
}
