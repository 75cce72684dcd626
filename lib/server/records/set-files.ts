import type { SetFileRecord } from "../../api/sets.ts";
import type { Download } from "../download.ts";
import type { SetFile } from "../set.ts";
import { isoTime } from "./records.ts";

/**
 * A file of a set as REST shows it.
 * @param savedPath path of the stored file, relative to DOWNLOADS_DIR; null: the file is not stored
 */
export function setFileRecord(
  { checksum }: Pick<Download, "checksum">,
  file: SetFile,
  savedPath: string | null,
): SetFileRecord {
  const { path, size, digest, status, error } = file;
  return {
    path,
    saved_path: savedPath,
    size,
    modified_at: timeOf(file.mtimeNs),
    md5: checksum === "md5" ? digest : null,
    sha256: checksum === "sha256" ? digest : null,
    status: status === "pending" ? "skipped" : status,
    error_code: error?.code ?? null,
    error: error?.message ?? null,
  };
}

/** The latest time that a Date can hold, in ms since 1970. */
const MAX_TIME = 8.64e15;

function timeOf(ns: string): string {
  const ms = Number(BigInt(ns) / 1_000_000n);
  return isoTime(Math.min(MAX_TIME, Math.max(-MAX_TIME, ms)));
}
