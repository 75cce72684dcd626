import { constants } from "node:fs";
import { lchown, lstat, open, readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../util/system-error.ts";

/** Whom the images run as where CONTAINER_USER says nothing else. */
const IMAGE_USER = { uid: 1000, gid: 1000 };

const ROOT = 0;

/**
 * Whom the containers have to run as, so that the files they write are the person's.
 * @param uid of the person, as `gid` undefined on Windows
 * @returns the value of CONTAINER_USER; null where the images' user will do: off Linux, as Docker
 *   makes every file the person's there, and for root, who may do everything with anybody's files
 */
export function containerUser(
  platform: NodeJS.Platform,
  uid: number | undefined,
  gid: number | undefined,
): string | null {
  return platform === "linux" && uid !== ROOT ? `${uid}:${gid}` : null;
}

/**
 * Gives all that root owns in a folder to the images' user, who could not write there. What is
 * somebody else's stays theirs. Does nothing but for root on Linux.
 * @param folder may be a link
 */
export async function giveToImageUser(folder: string): Promise<void> {
  if (process.platform !== "linux" || process.getuid?.() !== ROOT) return;
  try {
    await give(await realpath(folder));
  } catch (error) {
    // A root without all rights: the server in its container says what it cannot write to.
    if (systemCode(error) !== "EPERM") throw error;
  }
}

async function give(path: string): Promise<void> {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  await using folder = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  const { uid, gid } = IMAGE_USER;
  if ((await folder.stat()).uid === ROOT) await folder.chown(uid, gid);
  // By way of the open folder: whoever may write there could put a link to elsewhere in its place.
  const here = `/proc/self/fd/${folder.fd}`;
  for (const entry of await readdir(here, { withFileTypes: true })) {
    const inside = join(here, entry.name);
    if (entry.isDirectory()) await give(inside);
    else if ((await lstat(inside)).uid === ROOT) await lchown(inside, uid, gid);
  }
}
