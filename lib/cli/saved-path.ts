import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { DownloadRecord } from "../api/schemas.ts";
import type { Environment } from "../util/settings.ts";
import { plainText } from "../util/plain-text.ts";

/** The server's folder of downloads as this machine sees it, by default. */
export function downloadsDirOf(env: Environment): string {
  return env["DOWNLOADS_DIR"] || "downloads";
}

/**
 * Where a completed download is, for a person: an absolute path on this machine, or the path at the server.
 * @param downloadsDir the server's folder of downloads, if this machine has it
 */
export function savedPathOf(record: DownloadRecord, downloadsDir: string): string | null {
  if (record.saved_path === null) return null;
  return plainText(pathHere(record, downloadsDir) ?? `${record.saved_path} in ${AT_SERVER}`);
}

/** The folder that `saved_path` is relative to, for a person. */
export function savedFolderOf(record: DownloadRecord, downloadsDir: string): string {
  return plainText(pathHere(record, downloadsDir) === null ? AT_SERVER : resolve(downloadsDir));
}

const AT_SERVER = "the server's folder of downloads";

function pathHere({ saved_path }: DownloadRecord, downloadsDir: string): string | null {
  const path = resolve(downloadsDir, saved_path ?? "");
  return saved_path !== null && existsSync(path) ? path : null;
}
