import { randomUUID } from "node:crypto";
import { open, readFile, rm, stat, statfs } from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { systemCode } from "./system-error.ts";

/*
 * What a checkup asks about the machine that it runs on.
 */

/**
 * The user that this program runs as. It asks the system, as os.userInfo() of Bun believes the environment,
 * which services do not have.
 */
export async function userName(): Promise<string> {
  const id = process.getuid?.();
  if (id === undefined) return userInfo().username;
  return (await nameOf(id)) ?? `user ${id}`;
}

/** @returns null for a number that has no name here */
async function nameOf(id: number): Promise<string | null> {
  const users = await readFile("/etc/passwd", "utf8").catch(() => "");
  const lines = users.split("\n").map((line) => line.split(":"));
  return lines.find(([, , number]) => number === String(id))?.[0] ?? null;
}

/**
 * Takes the rights of the user that the service runs as. Root may do everything, which says nothing about
 * such a service: then this program becomes the owner of the service's folder, for good.
 * @param folder of the service; it need not exist
 * @returns the user's name, and whether it became that user
 */
export async function becomeOwnerOf(folder: string): Promise<{ user: string; became: boolean }> {
  const found = await stat(folder).catch(() => null);
  const isAnothers = process.getuid?.() === 0 && found !== null && found.uid !== 0;
  const became = isAnothers && become(found, (await nameOf(found.uid)) ?? found.uid);
  return { user: await userName(), became };
}

/** @returns false where root may not become another user, as in some containers */
function become({ uid, gid }: { uid: number; gid: number }, user: string | number): boolean {
  // Missing in the types of Bun.
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

/** The folder itself, or the nearest one above it that exists. */
export async function nearestFolder(path: string): Promise<string> {
  let folder = resolve(path);
  while (!(await stat(folder).catch(() => null)) && dirname(folder) !== folder) {
    folder = dirname(folder);
  }
  return folder;
}

/** Free bytes on the disk of a folder, which need not exist. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(await nearestFolder(folder));
  return bavail * bsize;
}

/** @returns the system's code for why nothing can be written there; null where it can */
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
