import {
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  type Stats,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { StoredObject } from "./fake-s3.ts";
import { md5OfBytes } from "./sources.ts";

/**
 * Objects of a fake S3. Published ones are also files of a folder, which tests may read, change and remove.
 * Objects below `.server/` are only in memory.
 */
export class FolderObjects extends Map<string, StoredObject> {
  /**
   * Modification time of each file in the folder when this object last read or wrote it, in ms since 1970.
   * Another time shows that a test has changed the file.
   */
  readonly #changedAt = new Map<string, number>();

  constructor(private readonly folder: string) {
    super();
  }

  override set(key: string, object: StoredObject): this {
    super.set(key, object);
    if (isOwn(key)) return this;
    const path = join(this.folder, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, object.bytes);
    this.#changedAt.set(key, statSync(path).mtimeMs);
    return this;
  }

  override get(key: string): StoredObject | undefined {
    const known = super.get(key);
    if (!known || isOwn(key)) return known;
    const stats = this.#statsOf(key);
    if (!stats) {
      super.delete(key);
      return undefined;
    }
    if (stats.mtimeMs === this.#changedAt.get(key)) return known;
    // A test has changed the file, so the object takes its content.
    const bytes = new Uint8Array(readFileSync(join(this.folder, key)));
    const changed = { ...known, bytes, etag: `"${md5OfBytes(bytes)}"` };
    super.set(key, changed);
    this.#changedAt.set(key, stats.mtimeMs);
    return changed;
  }

  override has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  override delete(key: string): boolean {
    if (!isOwn(key)) {
      rmSync(join(this.folder, key), { force: true });
      this.#removeFoldersOf(key);
    }
    return super.delete(key);
  }

  /** Removes the empty folders above a key, except the client's own, because S3 has no empty folders. */
  #removeFoldersOf(key: string): void {
    try {
      for (let path = dirname(key); path.includes("/"); path = dirname(path))
        rmdirSync(join(this.folder, path));
    } catch {
      // The folder is not empty or does not exist.
    }
  }

  override keys(): MapIterator<string> {
    return [...super.keys()].filter((key) => this.has(key)).values() as MapIterator<string>;
  }

  #statsOf(key: string): Stats | undefined {
    try {
      const stats = statSync(join(this.folder, key), { throwIfNoEntry: false });
      return stats?.isFile() ? stats : undefined;
    } catch {
      // A parent folder was replaced by something that is no folder, so the file does not exist.
      return undefined;
    }
  }
}

function isOwn(key: string): boolean {
  return key.startsWith(".server/");
}
