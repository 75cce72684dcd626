import { safeFileName, shortFileName } from "../../util/safe-file-name.ts";

/** Most names that are tried for a download, all of the same second. */
export const MAX_NAMES = 10_000;

/**
 * Where a file that arrived is published, relative to the downloads folder:
 * `<client_id>/<YYYYMMDD_HHMMSS>_<file name>`, the time in UTC.
 * @param filePath as the operator asked for it
 * @param at ms since 1970
 * @param n 1 for the first name to try; from 2 on, `-2`, `-3`, … stands before the extension
 */
export function savedPath(clientId: string, filePath: string, at: number, n: number): string {
  return `${clientId}/${shortFileName(stamped(filePath, at), suffixOf(n))}`;
}

/** Most bytes of the name of a set's folder: its checksums have a longer one beside it. */
const MAX_SET_NAME_BYTES = 190;

/**
 * Where the files of a set are published, relative to the downloads folder: a folder
 * `<client_id>/<YYYYMMDD_HHMMSS>_<name>`, named as a file is.
 */
export function setPath(clientId: string, name: string, at: number, n: number): string {
  return `${clientId}/${shortFileName(stamped(name, at), suffixOf(n), MAX_SET_NAME_BYTES)}`;
}

/** Most bytes of UTF-8 that {@link setPath} gives for a set, at any time. */
export function longestSetPath(clientId: string, name: string): number {
  return Buffer.byteLength(setPath(clientId, name, 0, MAX_NAMES));
}

function stamped(name: string, at: number): string {
  const time = new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "_");
  return `${time}_${safeFileName(name)}`;
}

function suffixOf(n: number): string {
  return n === 1 ? "" : `-${n}`;
}
