import { lstat, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { safeFileName } from "../../util/safe-file-name.ts";
import { systemCode } from "../../util/system-error.ts";
import { Failure } from "../program.ts";

/** The value of `-o` that means standard output. */
export const STANDARD_OUTPUT = "-";

/**
 * Returns the path at which to save a file. The path is checked before anything is pulled.
 * @param output path of a file, or an existing folder. In a folder, the file gets the name that it has at the
 *   client, changed where that name is not valid on every system
 * @param filePath path of the file at the client
 * @throws Failure where the folder above the path does not exist, or something other than a regular file has
 *   the path
 */
export async function localPath(output: string, filePath: string): Promise<string> {
  const isFolder = (await kindOf(output)) === "folder";
  const path = isFolder ? join(output, safeFileName(filePath)) : output;
  const kind = await kindOf(path);
  if (kind === "file") return path;
  if (kind !== "nothing") {
    throw new Failure(
      `pass another -o, or "${STANDARD_OUTPUT}" for standard output: "${path}" is no regular file`,
    );
  }
  // A path that ends in a slash names a folder.
  const folder = /[/\\]$/.test(path) ? path : dirname(path);
  if ((await kindOf(folder)) === "folder") return path;
  throw new Failure(`make the folder "${folder}" first, the file is to be saved there`);
}

/**
 * Returns the folder in which to save the files of a set. The folder is checked before anything is pulled.
 * @param output an existing folder, or the name of a new folder
 * @throws Failure where a file has this name, or the parent folder does not exist
 */
export async function localFolder(output: string): Promise<string> {
  const kind = await kindOf(output);
  if (kind === "folder") return output;
  if (kind !== "nothing") {
    throw new Failure(
      `pass a folder as -o: "${output}" is something else, and many files are pulled`,
    );
  }
  const parent = dirname(resolve(output));
  if ((await kindOf(parent)) === "folder") return output;
  throw new Failure(`make the folder "${parent}" first, the files are to be saved below it`);
}

/** Returns the type of the entry at a path. A broken link is `other`. */
async function kindOf(path: string): Promise<"file" | "folder" | "nothing" | "other"> {
  const entry = await statIfExists(path, lstat);
  if (!entry) return "nothing";
  const linkTarget = entry.isSymbolicLink() ? await statIfExists(path, stat) : entry;
  if (linkTarget?.isFile()) return "file";
  return linkTarget?.isDirectory() ? "folder" : "other";
}

/**
 * Calls lstat or stat.
 * @returns null where the path does not exist
 * @throws Failure for a name that the disk rejects
 */
async function statIfExists(path: string, statFunction: typeof stat) {
  try {
    return await statFunction(path);
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP") return null;
    throw new Failure(`pass another -o: this disk cannot hold "${path}" (${code})`, {
      cause: error,
    });
  }
}
