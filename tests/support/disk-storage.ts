import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDiskStorage } from "../../lib/server/storage/disk.ts";

/** The final name of a file. */
export const PATH = "site-1/20250102_030405_a.txt";
export const CONTENT = new TextEncoder().encode("content");

/** An empty folder, which is removed at the end. */
export async function temporaryFolder() {
  const path = await fs.mkdtemp(join(tmpdir(), "fds-disk-"));
  return { path, [Symbol.asyncDispose]: () => fs.rm(path, { recursive: true }) };
}

/** A storage in a folder of its own; gives also where its files lie. */
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
