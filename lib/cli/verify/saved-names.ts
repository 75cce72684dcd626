import type { Dirent } from "node:fs";
import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../util/system-error.ts";
import { Failure } from "../program.ts";

/** The files in the folder of downloads. Paths are relative to it, with forward slashes. */
export interface SavedNames {
  /** Files directly in clients' folders. */
  files: string[];
  /** Folders in clients' folders: sets, or unknown ones. */
  folders: string[];
  /** Total size of all files, including those in folders. */
  bytes: number;
}

/**
 * Lists the folder of downloads. Of the files in sets it only adds up the sizes, as there may be very many.
 * @throws Failure when the folder does not exist
 */
export async function savedNames(downloadsDir: string): Promise<SavedNames> {
  const names: SavedNames = { files: [], folders: [], bytes: 0 };
  const sizeOf = async (path: string) => (await lstat(join(downloadsDir, path))).size;
  const take = async (path: string) => {
    names.files.push(path);
    names.bytes += await sizeOf(path);
  };
  for await (const client of entriesOf(downloadsDir, "")) {
    if (!client.isDirectory) await take(client.path);
    else
      for await (const { path, isDirectory } of entriesOf(downloadsDir, client.path)) {
        if (!isDirectory) await take(path);
        else {
          names.folders.push(path);
          for await (const file of filesBelow(downloadsDir, path))
            names.bytes += await sizeOf(file);
        }
      }
  }
  return names;
}

/** All files below a folder, by their paths relative to the folder of downloads. */
export async function* filesBelow(downloadsDir: string, folder: string): AsyncGenerator<string> {
  for await (const { path, isDirectory } of entriesOf(downloadsDir, folder)) {
    if (isDirectory) yield* filesBelow(downloadsDir, path);
    else yield path;
  }
}

/** Names with a leading dot belong to the server or the system. */
async function* entriesOf(downloadsDir: string, folder: string) {
  for await (const entry of await openFolder(join(downloadsDir, folder), folder === "")) {
    if (entry.name.startsWith(".")) continue;
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    yield { path, isDirectory: entry.isDirectory() };
  }
}

/** @returns nothing for a folder that was removed meanwhile */
async function openFolder(path: string, isTop: boolean): Promise<AsyncIterable<Dirent>> {
  try {
    return await opendir(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    if (!isTop) return (async function* () {})();
    throw new Failure(
      `pass the server's folder of downloads as --downloads-dir: there is no "${path}" here`,
      { cause: error },
    );
  }
}
