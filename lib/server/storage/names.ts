import { safeFileName, shortFileName } from "../../util/safe-file-name.ts";

/**
 * Where a file that arrived is published, relative to the downloads folder:
 * `<client_id>/<YYYYMMDD_HHMMSS>_<file name>`, the time in UTC.
 * @param filePath as the operator asked for it
 * @param at ms since 1970
 * @param n 1 for the first name to try; from 2 on, `-2`, `-3`, … stands before the extension
 */
export function savedPath(clientId: string, filePath: string, at: number, n: number): string {
  const time = new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "_");
  const name = shortFileName(`${time}_${safeFileName(filePath)}`, n === 1 ? "" : `-${n}`);
  return `${clientId}/${name}`;
}
