import type { Dirent } from "node:fs";
import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../util/system-error.ts";
import { Failure } from "../program.ts";

/** The files in the folder of downloads. Paths are relative to it, with forward slashes. */
export interface SavedNames {
  /** Every file that is in no folder of a client's folder. */
  files: string[];
  /** Every folder in a client's folder: of a set, or a stranger. */
  folders: string[];
  /** Paths of all files, also of those in folders. */
  bytes: number;
}

/**
 * Lists the folder of downloads. Only the sizes of files in the folders of sets are kept, as there may be
 * very many.
 * @throws Failure when the folder is not there
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

/** Every file in a folder and below it, by its path relative to the folder of downloads. */
export async function* filesBelow(downloadsDir: string, folder: string): AsyncGenerator<string> {
  for await (const { path, isDirectory } of entriesOf(downloadsDir, folder)) {
    if (isDirectory) yield* filesBelow(downloadsDir, path);
    else yield path;
  }
}

/** Names with a leading dot are the server's own or the system's. */
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
