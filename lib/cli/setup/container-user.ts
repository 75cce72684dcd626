import { constants } from "node:fs";
import { type FileHandle, open, readdir, readlink, realpath } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../util/system-error.ts";

/** The images' user, unless CONTAINER_USER is set. */
const IMAGE_USER = { uid: 1000, gid: 1000 };

const ROOT = 0;

/**
 * The user that the containers need to run as, so that the person owns the files that they write.
 * @param uid of the person; like `gid`, undefined on Windows
 * @returns the value of CONTAINER_USER. Null where the images' user will do: on other systems than Linux,
 *   where Docker makes every file the person's, and for root, who may use anybody's files
 */
export function containerUser(
  platform: NodeJS.Platform,
  uid: number | undefined,
  gid: number | undefined,
): string | null {
  return platform === "linux" && uid !== ROOT ? `${uid}:${gid}` : null;
}

/** The result of giving a folder to the images' user. */
export interface Gift {
  /** Number of files and folders with a new owner. */
  given: number;
  /** Files that stay root's, as they have a second name. */
  kept: string[];
}

/** Name of the images' user in messages. */
export const IMAGE_USER_NAME = `user ${IMAGE_USER.uid}`;

/**
 * Gives the files and folders that root owns in a folder to the images' user, who could not write there.
 * Other owners' files are left alone. It does nothing but for root on Linux.
 * @param folder may be a link
 */
export async function giveToImageUser(folder: string): Promise<Gift> {
  const gift: Gift = { given: 0, kept: [] };
  if (process.platform !== "linux" || process.getuid?.() !== ROOT) return gift;
  try {
    await giveFolder(await realpath(folder), folder, gift);
  } catch (error) {
    // A root without all rights: the server in its container reports what it cannot write to.
    if (systemCode(error) !== "EPERM") throw error;
  }
  return gift;
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;

/** @param name of the folder for the person */
async function giveFolder(path: string, name: string, gift: Gift): Promise<void> {
  await using folder = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  await give(folder, gift);
  // Through the open folder: others who may write there could replace it by a link.
  const here = `/proc/self/fd/${folder.fd}`;
  for (const entry of await readdir(here, { withFileTypes: true })) {
    const [inside, itsName] = [join(here, entry.name), join(name, entry.name)];
    if (entry.isDirectory()) await giveFolder(inside, itsName, gift);
    else if (entry.isFile()) await giveFile(inside, itsName, gift);
  }
}

async function giveFile(path: string, name: string, gift: Gift): Promise<void> {
  await using file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  // Others who may write in the folder could put a second name of a system file there. The count is read
  // first: a name that is removed afterwards was still counted.
  const isAlone = (await file.stat()).nlink === 1;
  const isThere = !(await readlink(`/proc/self/fd/${file.fd}`)).endsWith(" (deleted)");
  if (isAlone && isThere) await give(file, gift);
  else gift.kept.push(name);
}

async function give(handle: FileHandle, gift: Gift): Promise<void> {
  if ((await handle.stat()).uid !== ROOT) return;
  await handle.chown(IMAGE_USER.uid, IMAGE_USER.gid);
  gift.given++;
}
