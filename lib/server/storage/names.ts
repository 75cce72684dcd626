import { safeFileName, shortFileName } from "../../util/safe-file-name.ts";

/**
 * Maximum number of names that are tried for one published file or set. They contain the same time, and
 * differ only in a number.
 */
export const MAX_NAMES = 10_000;

/**
 * Returns the path of a published file, relative to the downloads folder:
 * `<client_id>/<YYYYMMDD_HHMMSS>_<file name>`, with the time in UTC.
 * @param filePath path that the operator asked for
 * @param at time, in ms since 1970
 * @param n number of the name among those tried, from 1. From 2 on, `-2`, `-3`, … is inserted before the
 *   extension
 */
export function savedPath(clientId: string, filePath: string, at: number, n: number): string {
  return `${clientId}/${shortFileName(stamped(filePath, at), suffixOf(n))}`;
}

/**
 * Maximum length of a set's folder name, in bytes. It leaves room for the longer name of the checksums file.
 */
const MAX_SET_NAME_BYTES = 190;

/**
 * Returns the path of a published set's folder, relative to the downloads folder:
 * `<client_id>/<YYYYMMDD_HHMMSS>_<name>`.
 * @param at time, in ms since 1970
 * @param n number of the name among those tried, from 1. From 2 on, `-2`, `-3`, … is inserted before the
 *   extension, if the name has one
 */
export function setPath(clientId: string, name: string, at: number, n: number): string {
  return `${clientId}/${shortFileName(stamped(name, at), suffixOf(n), MAX_SET_NAME_BYTES)}`;
}

/** Returns the maximum length of a set's path, in bytes of UTF-8. */
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
