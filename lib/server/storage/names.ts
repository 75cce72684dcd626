import { safeFileName, shortFileName } from "../../util/safe-file-name.ts";

/** Most names that are tried for one download, all with the same time. */
export const MAX_NAMES = 10_000;

/**
 * The path of a published file, relative to the downloads folder: `<client_id>/<YYYYMMDD_HHMMSS>_<file
 * name>`, the time in UTC.
 * @param filePath as the operator asked for it
 * @param at ms since 1970
 * @param n 1 for the first name; from 2 on, `-2`, `-3`, … is inserted before the extension
 */
export function savedPath(clientId: string, filePath: string, at: number, n: number): string {
  return `${clientId}/${shortFileName(stamped(filePath, at), suffixOf(n))}`;
}

/** Most bytes of a set's folder name, as its file of checksums has a longer name. */
const MAX_SET_NAME_BYTES = 190;

/**
 * The path of a published set, relative to the downloads folder: a folder
 * `<client_id>/<YYYYMMDD_HHMMSS>_<name>`, named by the same rules.
 */
export function setPath(clientId: string, name: string, at: number, n: number): string {
  return `${clientId}/${shortFileName(stamped(name, at), suffixOf(n), MAX_SET_NAME_BYTES)}`;
}

/** Most bytes of UTF-8 of a set's path, whatever the time. */
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
