import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { DownloadRecord } from "../api/schemas.ts";
import type { Environment } from "../util/settings.ts";
import { plainText } from "../util/plain-text.ts";

/** Returns the server's folder of downloads, as a path on this machine. Default: `downloads`. */
export function downloadsDirOf(env: Environment): string {
  return env["DOWNLOADS_DIR"] || "downloads";
}

/**
 * Returns where a completed download was saved, as text for the user: an absolute path if the file is on this
 * machine, otherwise the path at the server.
 * @param downloadsDir the server's folder of downloads, which may not exist on this machine
 * @returns null where nothing was saved
 */
export function savedPathOf(record: DownloadRecord, downloadsDir: string): string | null {
  if (record.saved_path === null) return null;
  return plainText(localPathOf(record, downloadsDir) ?? `${record.saved_path} in ${AT_SERVER}`);
}

/**
 * Returns the folder that `saved_path` is relative to, as text for the user. If the saved file is on this
 * machine, the text is the folder's absolute path, otherwise a description of the server's folder.
 */
export function savedFolderOf(record: DownloadRecord, downloadsDir: string): string {
  return plainText(localPathOf(record, downloadsDir) === null ? AT_SERVER : resolve(downloadsDir));
}

const AT_SERVER = "the server's folder of downloads";

function localPathOf({ saved_path }: DownloadRecord, downloadsDir: string): string | null {
  const path = resolve(downloadsDir, saved_path ?? "");
  return saved_path !== null && existsSync(path) ? path : null;
}
