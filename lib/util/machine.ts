import { randomUUID } from "node:crypto";
import { open, readFile, rm, stat, statfs } from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { systemCode } from "./system-error.ts";

/*
 * What a checkup asks about the machine that it runs on.
 */

/**
 * Who this program runs as; a service may run as somebody else, who may see less. The runtime believes
 * the environment, which services do not have.
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
 * Whose rights count. Root may do everything, which says nothing about a service that runs as the owner of
 * its folder: then this program becomes that user, for good.
 * @param folder of the service, there or not
 * @returns the user's name, and whether it is the owner's for that reason
 */
export async function becomeOwnerOf(folder: string): Promise<{ user: string; became: boolean }> {
  const found = await stat(folder).catch(() => null);
  const isAnothers = process.getuid?.() === 0 && found !== null && found.uid !== 0;
  const became = isAnothers && become(found, (await nameOf(found.uid)) ?? found.uid);
  return { user: await userName(), became };
}

/** @returns false for a root without the right to be others, as in some containers */
function become({ uid, gid }: { uid: number; gid: number }, user: string | number): boolean {
  // The types do not know it yet.
  const { initgroups } = process as { initgroups?: (user: string | number, group: number) => void };
  try {
    // In this order: afterwards it may change nothing of that.
    initgroups?.(user, gid);
    process.setgid?.(gid);
    process.setuid?.(uid);
    return true;
  } catch (error) {
    if (systemCode(error) !== "EPERM") throw error;
    return false;
  }
}

/** A folder, or the one above it that is there. */
export async function nearestFolder(path: string): Promise<string> {
  let folder = resolve(path);
  while (!(await stat(folder).catch(() => null)) && dirname(folder) !== folder) {
    folder = dirname(folder);
  }
  return folder;
}

/** Bytes that are free for a folder, there or not. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(await nearestFolder(folder));
  return bavail * bsize;
}

/** @returns the system's word for why nothing can be written there; null: something can */
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
