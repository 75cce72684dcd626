import { join } from "node:path";
import type { DownloadRecord } from "../../api/schemas.ts";
import { plainText } from "../../util/plain-text.ts";
import { digestsOfFile } from "../checksums.ts";

/**
 * Compares the saved file of a download with its record and with the checksum of the original. The file is
 * read from the disk again.
 * @param downloadsDir the server's folder of downloads
 * @param expected MD5 of the original in lower-case hex; undefined where it is unknown
 * @returns the problem as text for the user; null where the file is right
 * @throws the reason of `signal` when `signal` is aborted
 */
export async function problemOfSavedFile(
  record: DownloadRecord,
  downloadsDir: string,
  expected: string | undefined,
  signal: AbortSignal,
): Promise<string | null> {
  if (record.status !== "completed" || record.saved_path === null) {
    return `${record.status}: ${plainText(record.error ?? "no reason given")}`;
  }
  if (expected === undefined) return "the original has no checksum";
  if (record.md5 !== expected) {
    return `the MD5 of the record is "${record.md5}", expected "${expected}"`;
  }
  const file = join(downloadsDir, record.saved_path);
  if (!(await Bun.file(file).exists())) return `"${file}" is not there`;
  const { md5: found } = await digestsOfFile(file, ["md5"], signal);
  return found === expected ? null : `the MD5 of "${file}" is "${found}", expected "${expected}"`;
}
