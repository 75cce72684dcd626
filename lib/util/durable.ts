import { randomUUID } from "node:crypto";
import fs from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "./system-error.ts";

/**
 * Writes a whole file. After a power cut at any moment, the old or the new one is there.
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

/** Flushes the names in a folder, so that they outlive a power cut. Some network shares cannot do it. */
export async function syncFolder(path: string): Promise<void> {
  // Windows opens no folders; its file systems keep a log of names of their own.
  if (process.platform === "win32") return;
  // Opened synchronously: the kernel has just changed the folder and has it in memory, while a trip to
  // another thread takes ten times as long. Only the flush waits for the disk.
  const folder = fs.openSync(path, "r");
  try {
    await flush(folder);
  } catch (error) {
    // EINVAL means that it cannot be flushed (fsync(2)): nothing was tried, so nothing failed.
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

/** Writes a file that does not exist yet, and flushes its bytes, but not its name. */
export async function writeNewFile(path: string, data: string, mode: number): Promise<void> {
  const handle = await open(path, "wx", mode);
  try {
    await handle.writeFile(data);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
