import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { syncFolder } from "../../util/durable.ts";
import { lockOut } from "../../util/lock.ts";
import { systemCode } from "../../util/system-error.ts";

export interface ServerFolderOptions {
  /** True: several servers may use the folder at the same time. */
  isShared?: boolean;
  /** Names of folders to create inside `.server/`. */
  names?: string[];
}

/**
 * Creates a folder with a folder `.server/` in it, for the server's own files. Locks it against other
 * servers, unless it is shared.
 * @param folder path of the folder, which is created if it does not exist
 * @returns a function that releases the lock
 * @throws Error naming the folder if it is not writable or another server uses it
 */
export async function openServerFolder(
  folder: string,
  { isShared = false, names = [] }: ServerFolderOptions = {},
): Promise<() => void> {
  const root = resolve(folder);
  const serverFolder = join(root, ".server");
  const subfolders = names.map((name) => join(serverFolder, name));
  try {
    await mkdir(root, { recursive: true });
    for (const path of [serverFolder, ...subfolders])
      await mkdir(path, { recursive: true, mode: 0o700 });
    for (const path of [root, serverFolder, ...subfolders])
      await access(path, constants.W_OK | constants.X_OK);
    await syncFolder(root);
    await syncFolder(serverFolder);
  } catch (cause) {
    const why = systemCode(cause) ?? String(cause);
    throw new Error(`make "${folder}" a folder that this user can write to: ${why}`, { cause });
  }
  return lockOut(folder, join(serverFolder, "lock"), isShared);
}
