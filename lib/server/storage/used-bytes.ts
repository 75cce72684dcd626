import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { statIfThere } from "./file-names.ts";

/** A folder that was changed so shortly before it was read may change again unseen, in ms. */
const SETTLED_MS = 2_000;

/** Folders that are remembered; more than there usually are. */
const MOST_KNOWN = 100_000;

/** What a folder holds, as long as no name in it comes or goes. */
interface Known {
  mtimeMs: number;
  /** Size of the files in it. */
  bytes: number;
  /** Names of the folders in it. */
  folders: string[];
}

/**
 * Measures the bytes in folders. Published files never change, so the sum of a folder is valid while
 * the folder's mtime stays the same, and few folders are read again. A file with several hard links,
 * such as one that a later set did not fetch again, counts for each of them by its share.
 */
export class UsedBytes {
  readonly #known = new Map<string, Known>();

  /** Bytes of all files in a folder, and in those in it; 0 where there is no such folder. */
  async of(folder: string): Promise<number> {
    const stats = await statIfThere(folder);
    if (!stats?.isDirectory()) {
      this.#known.delete(folder);
      return 0;
    }
    const { mtimeMs } = stats;
    const known = this.#known.get(folder);
    const { bytes, folders } =
      known?.mtimeMs === mtimeMs ? known : await this.#read(folder, mtimeMs);
    let sum = bytes;
    for (const name of folders) sum += await this.of(join(folder, name));
    return sum;
  }

  async #read(folder: string, mtimeMs: number): Promise<Known> {
    const found: Known = { mtimeMs, bytes: 0, folders: [] };
    for (const name of await readdir(folder)) {
      const stats = await statIfThere(join(folder, name));
      if (stats?.isDirectory()) found.folders.push(name);
      else if (stats) found.bytes += stats.size / stats.nlink;
    }
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    if (Date.now() - mtimeMs > SETTLED_MS) this.#known.set(folder, found);
    else this.#known.delete(folder);
    return found;
  }
}
