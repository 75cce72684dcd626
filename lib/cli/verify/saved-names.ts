import type { Dirent } from "node:fs";
import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../util/system-error.ts";
import { Failure } from "../program.ts";

/** The content of the folder of downloads. Paths are relative to this folder, with forward slashes. */
export interface SavedNames {
  /** Files that are not in the folder of a set. */
  files: string[];
  /** Folders inside the clients' folders. They are sets, or of unknown origin. */
  folders: string[];
  /** The total size of all files in bytes, including files of sets. */
  bytes: number;
}

/**
 * Lists the folder of downloads. Files of sets only add to the total size, as there may be very many.
 * @throws Failure when the folder does not exist
 */
export async function savedNames(downloadsDir: string): Promise<SavedNames> {
  const names: SavedNames = { files: [], folders: [], bytes: 0 };
  const sizeOf = async (path: string) => (await lstat(join(downloadsDir, path))).size;
  const addFile = async (path: string) => {
    names.files.push(path);
    names.bytes += await sizeOf(path);
  };
  for await (const client of entriesOf(downloadsDir, "")) {
    if (!client.isDirectory) await addFile(client.path);
    else
      for await (const { path, isDirectory } of entriesOf(downloadsDir, client.path)) {
        if (!isDirectory) await addFile(path);
        else {
          names.folders.push(path);
          for await (const file of filesBelow(downloadsDir, path))
            names.bytes += await sizeOf(file);
        }
      }
  }
  return names;
}

/** Yields the paths of all files below a folder, relative to the folder of downloads. */
export async function* filesBelow(downloadsDir: string, folder: string): AsyncGenerator<string> {
  for await (const { path, isDirectory } of entriesOf(downloadsDir, folder)) {
    if (isDirectory) yield* filesBelow(downloadsDir, path);
    else yield path;
  }
}

/**
 * Yields the entries of a folder. Names with a leading dot are skipped, as they belong to the server or the
 * system.
 */
async function* entriesOf(downloadsDir: string, folder: string) {
  for await (const entry of await openFolder(join(downloadsDir, folder), folder === "")) {
    if (entry.name.startsWith(".")) continue;
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    yield { path, isDirectory: entry.isDirectory() };
  }
}

/**
 * Opens a folder. A subfolder that was removed meanwhile counts as empty.
 * @throws Failure where the folder of downloads itself does not exist
 */
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
