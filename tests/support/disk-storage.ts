import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDiskStorage } from "../../lib/server/storage/disk.ts";

/** Path of a published file, relative to the storage. */
export const PATH = "site-1/20250102_030405_a.txt";
export const CONTENT = new TextEncoder().encode("content");

/** Makes an empty temporary folder. Disposal removes it. */
export async function temporaryFolder() {
  const path = await fs.mkdtemp(join(tmpdir(), "fds-disk-"));
  return { path, [Symbol.asyncDispose]: () => fs.rm(path, { recursive: true }) };
}

/** Opens a disk storage in a temporary folder, and gives the paths of its published file and its parts. */
export async function temporaryStorage() {
  const folder = await temporaryFolder();
  const storage = await openDiskStorage(folder.path);
  return {
    storage,
    folder: folder.path,
    final: join(folder.path, PATH),
    part: (id: string) => join(folder.path, ".server/parts", `${id}.part`),
    [Symbol.asyncDispose]: async () => {
      await storage.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}
