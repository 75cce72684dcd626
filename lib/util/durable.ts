import { randomUUID } from "node:crypto";
import fs from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "./system-error.ts";

/**
 * Replaces a file atomically and durably. After a power cut at any moment, the file has its old content or
 * the new one.
 * @param mode permissions, such as 0o600
 */
export async function writeFileDurably(path: string, data: string, mode: number): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeNewFile(temporary, data, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/**
 * Flushes a folder, so that the names in it survive a power cut. Does nothing where that is not supported.
 */
export async function syncFolder(path: string): Promise<void> {
  // Windows cannot open a folder to flush it. Its file systems journal the names themselves.
  if (process.platform === "win32") return;
  // The caller has just changed the folder, so the kernel has it in memory and opens it without reading the
  // disk. An asynchronous open, by the thread pool, would take ten times as long. Only the flush waits for
  // the disk.
  const folder = fs.openSync(path, "r");
  try {
    await flush(folder);
  } catch (error) {
    // EINVAL means that this file system, such as a network share, cannot flush folders (fsync(2)). This is
    // no failure.
    if (systemCode(error) !== "EINVAL") throw error;
  } finally {
    fs.closeSync(folder);
  }
}

function flush(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fsync(fd, (error) => (error ? reject(error) : resolve()));
  });
}

/**
 * Creates a file and flushes its bytes, but not its name in the folder.
 * @param mode permissions, such as 0o600
 * @throws an error of the system, `EEXIST` if the file exists
 */
export async function writeNewFile(path: string, data: string, mode: number): Promise<void> {
  const handle = await open(path, "wx", mode);
  try {
    await handle.writeFile(data);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
