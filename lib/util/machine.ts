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
  const users = await readFile("/etc/passwd", "utf8").catch(() => "");
  const name = users
    .split("\n")
    .map((line) => line.split(":"))
    .find(([, , number]) => number === String(id))?.[0];
  return name ?? `user ${id}`;
}

/**
 * Whether this program runs as root, and a file is another user's: what root may do tells nothing then,
 * and what it makes may be in that user's way.
 */
export function isOfAnother(found: { uid: number }): boolean {
  return process.getuid?.() === 0 && found.uid !== 0;
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
