import { randomUUID } from "node:crypto";
import { open, readFile, rm, stat, statfs } from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { systemCode } from "./system-error.ts";

/*
 * Facts about this machine for `doctor` commands: users, free disk space, write permissions.
 */

/**
 * Returns the name of the user that this program runs as. The name is looked up by user id. Bun's
 * os.userInfo() would take the name from the environment, which contains none for a service.
 */
export async function userName(): Promise<string> {
  const id = process.getuid?.();
  if (id === undefined) return userInfo().username;
  return (await nameOf(id)) ?? `user ${id}`;
}

/** Returns the name of a user id from /etc/passwd; null if the id is not listed there. */
async function nameOf(id: number): Promise<string | null> {
  const users = await readFile("/etc/passwd", "utf8").catch(() => "");
  const lines = users.split("\n").map((line) => line.split(":"));
  return lines.find(([, , number]) => number === String(id))?.[0] ?? null;
}

/**
 * Changes this process from root to the user that owns a service's folder, for good. Checks made by root
 * would all succeed, and so tell nothing about the service. Does nothing if the process is not root's, the
 * folder does not exist, or root owns the folder.
 * @param folder folder of the service
 * @returns the name of the user that this process now runs as, and whether it changed
 */
export async function becomeOwnerOf(
  folder: string,
): Promise<{ user: string; hasChanged: boolean }> {
  const found = await stat(folder).catch(() => null);
  const hasOtherOwner = process.getuid?.() === 0 && found !== null && found.uid !== 0;
  const hasChanged = hasOtherOwner && switchUser(found, (await nameOf(found.uid)) ?? found.uid);
  return { user: await userName(), hasChanged };
}

/** Changes the user and groups of this process. @returns false if not permitted, as in some containers */
function switchUser({ uid, gid }: { uid: number; gid: number }, user: string | number): boolean {
  // Bun has initgroups, but not in its TypeScript types.
  const { initgroups } = process as { initgroups?: (user: string | number, group: number) => void };
  try {
    // The user comes last: after that, the process may no longer change its groups.
    initgroups?.(user, gid);
    process.setgid?.(gid);
    process.setuid?.(uid);
    return true;
  } catch (error) {
    if (systemCode(error) !== "EPERM") throw error;
    return false;
  }
}

/** Returns the path itself if it exists, otherwise its nearest parent folder that exists. */
export async function nearestFolder(path: string): Promise<string> {
  let folder = resolve(path);
  while (!(await stat(folder).catch(() => null)) && dirname(folder) !== folder) {
    folder = dirname(folder);
  }
  return folder;
}

/** Returns the free bytes on the disk of a folder. The folder need not exist yet. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(await nearestFolder(folder));
  return bavail * bsize;
}

/**
 * Tries to create a file in a folder.
 * @returns null if that works, otherwise the error code, such as `EACCES`
 */
export async function flawOfWriting(folder: string): Promise<string | null> {
  const path = join(folder, `.doctor-${randomUUID()}`);
  try {
    const file = await open(path, "wx", 0o600);
    await file.close();
    await rm(path);
    return null;
  } catch (error) {
    return systemCode(error) ?? String(error);
  }
}
