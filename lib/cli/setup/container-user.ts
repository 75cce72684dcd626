import { constants } from "node:fs";
import { type FileHandle, open, readdir, readlink, realpath } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../util/system-error.ts";

/** The user and group as which the container images run, unless CONTAINER_USER is set. */
const IMAGE_USER = { uid: 1000, gid: 1000 };

const ROOT = 0;

/**
 * Returns the user as whom the containers must run, so that the current user owns the files that they write.
 * @param uid id of the current user; like `gid`, undefined on Windows
 * @returns the value of CONTAINER_USER. null where the images' own user works: on systems other than Linux,
 *   where Docker makes the current user own every file, and for root, who may use anybody's files
 */
export function containerUser(
  platform: NodeJS.Platform,
  uid: number | undefined,
  gid: number | undefined,
): string | null {
  return platform === "linux" && uid !== ROOT ? `${uid}:${gid}` : null;
}

/** The result of changing the owner of files to the user of the container images. */
export interface ChownResult {
  /** The number of files and folders with a new owner. */
  changed: number;
  /** Root's files whose owner was not changed, as they have another hard link. */
  skipped: string[];
}

/** The name, in messages, of the user as whom the container images run. */
export const IMAGE_USER_NAME = `user ${IMAGE_USER.uid}`;

/**
 * Changes the owner of root's files and folders in `folder` to the user of the container images, who could
 * not write to them otherwise. Files of other owners are left alone. Does nothing unless this process runs as
 * root on Linux.
 * @param folder may be a symbolic link
 */
export async function chownToImageUser(folder: string): Promise<ChownResult> {
  const result: ChownResult = { changed: 0, skipped: [] };
  if (process.platform !== "linux" || process.getuid?.() !== ROOT) return result;
  try {
    await chownFolder(await realpath(folder), folder, result);
  } catch (error) {
    // Root may lack the right to change owners. Then the server's container reports what it cannot write to.
    if (systemCode(error) !== "EPERM") throw error;
  }
  return result;
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;

/**
 * Changes the owner of a folder and its content from root to the user of the container images. Entries of
 * other owners are left alone.
 * @param name path of the folder, for messages
 */
async function chownFolder(path: string, name: string, result: ChownResult): Promise<void> {
  await using folder = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  await chownHandle(folder, result);
  // Names are resolved from the open folder, as another user could replace the folder's path by a link.
  const here = `/proc/self/fd/${folder.fd}`;
  for (const entry of await readdir(here, { withFileTypes: true })) {
    const [inside, itsName] = [join(here, entry.name), join(name, entry.name)];
    if (entry.isDirectory()) await chownFolder(inside, itsName, result);
    else if (entry.isFile()) await chownFile(inside, itsName, result);
  }
}

async function chownFile(path: string, name: string, result: ChownResult): Promise<void> {
  await using file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  // Guards against a hard link to a system file, added by another user of the folder. The link count is read
  // before the name is checked, so that a link removed in between is still counted.
  const { nlink, uid } = await file.stat();
  const isThere = !(await readlink(`/proc/self/fd/${file.fd}`)).endsWith(" (deleted)");
  if (uid !== ROOT || !isThere) return;
  if (nlink === 1) await chownHandle(file, result);
  else result.skipped.push(name);
}

async function chownHandle(handle: FileHandle, result: ChownResult): Promise<void> {
  if ((await handle.stat()).uid !== ROOT) return;
  await handle.chown(IMAGE_USER.uid, IMAGE_USER.gid);
  result.changed++;
}
