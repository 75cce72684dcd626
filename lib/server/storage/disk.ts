import { constants, fstatSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, statfs, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { statIfThere, takeName, unlessUnsupported, unlinkIfThere } from "./file-names.ts";
import { systemCode } from "../../util/system-error.ts";
import { DiskSets } from "./disk-sets.ts";
import { onDisk, PartFile } from "./part.ts";
import {
  checkedClientId,
  checkedDownloadId,
  checkedFilePath,
  checkedPublishedPath,
  isDownloadId,
} from "./paths.ts";
import { openServerFolder } from "./server-folder.ts";
import { SharedSync } from "../../util/shared-sync.ts";
import type { SetStorage } from "./storage.ts";
import type { Part, FreeSpace, Storage, StoredFile } from "./storage.ts";

const PART = ".part";
/**
 * Operators read what is published; the umask may take more away. Parts have it from the start, in
 * a folder that nobody else may enter: to change it later would be one more thing to flush.
 */
const PUBLISHED_MODE = 0o644 & ~process.umask();
/** The system is asked for free room at most this often, in ms: a small file comes by several times. */
const ROOM_AGE_MS = 20;

/**
 * Keeps bytes in a folder: parts in `.server/parts/<download_id>.part`, published files in
 * `<client_id>/<name>`. The folder is this server's alone until {@link Storage.close}.
 * @param downloadsDir made if it is not there
 * @throws Error that names the folder: it cannot be written to, or another server uses it
 */
export async function openDiskStorage(downloadsDir: string): Promise<Storage> {
  const unlock = await openServerFolder(downloadsDir, "parts");
  const root = resolve(downloadsDir);
  return new DiskStorage(root, join(root, ".server", "parts"), unlock);
}

class DiskStorage implements Storage {
  readonly sets: SetStorage;
  /** Many flushes at once would block every thread of the pool. */
  readonly checkpointsInTurn = true;
  readonly #shared = new SharedSync();
  /** Folders of clients whose own names are on the disk. */
  readonly #named = new Set<string>();
  #room: Promise<FreeSpace> | undefined;
  #roomAskedAt = 0;

  constructor(
    private readonly root: string,
    private readonly parts: string,
    private readonly unlock: () => void,
  ) {
    this.sets = new DiskSets({
      parts,
      fileMode: PUBLISHED_MODE,
      publishedPath: (savedPath) => this.publishedPath(savedPath),
      pathOf: (savedPath) => this.pathOf(savedPath),
      makeFolder: (folder) => this.#makeFolderAgain(folder),
    });
  }

  async openPart(downloadId: string): Promise<Part> {
    const path = this.partPath(downloadId);
    return onDisk("open the part file", async () => {
      let file = await openForPart(path);
      // At once: that it was opened has brought this to memory, and a trip to another thread takes
      // ten times as long.
      if (fstatSync(file.fd).nlink > 1) {
        // A publish() that was cut short left a second name for the published file: never write to it.
        await file.close();
        await unlink(path);
        file = await openForPart(path);
      }
      try {
        const { size, mode } = fstatSync(file.fd);
        if ((mode & 0o777) !== PUBLISHED_MODE) {
          await file.chmod(PUBLISHED_MODE).catch(unlessUnsupported);
        }
        // Also if it was there: whoever made it may have died before this.
        return new PartFile(file, size, this.#shared.flush(this.parts));
      } catch (error) {
        await file.close();
        throw error;
      }
    });
  }

  async removePart(downloadId: string): Promise<void> {
    const path = this.partPath(downloadId);
    await onDisk("remove the part file", () => unlinkIfThere(path));
  }

  async listParts(): Promise<string[]> {
    const names = await onDisk("list the part files", () => readdir(this.parts));
    return names
      .filter((name) => name.endsWith(PART))
      .map((name) => name.slice(0, -PART.length))
      .filter(isDownloadId);
  }

  async publish(downloadId: string, savedPath: string): Promise<boolean> {
    const part = this.partPath(downloadId);
    const final = this.publishedPath(savedPath);
    const folder = dirname(final);
    return onDisk("publish the file", async () => {
      await this.#makeFolder(folder);
      if (!(await this.#takeName(part, final))) return false;
      try {
        // Before the part's name goes: at no moment may a power cut take both.
        await this.#shared.flush(folder);
        await unlinkIfThere(part);
      } catch (error) {
        // The download will be tried again, under another name; this one must not stay behind.
        if (await statIfThere(part)) await unlinkIfThere(final);
        throw error;
      }
      return true;
    });
  }

  async openFile(savedPath: string): Promise<StoredFile | null> {
    const path = this.pathOf(savedPath);
    const stats = await onDisk("open the file", () => statIfThere(path));
    if (!stats?.isFile()) return null;
    return { size: stats.size, slice: (start, end) => Bun.file(path).slice(start, end) };
  }

  freeSpace(): Promise<FreeSpace> {
    const now = performance.now();
    if (this.#room === undefined || now - this.#roomAskedAt > ROOM_AGE_MS) {
      this.#roomAskedAt = now;
      this.#room = this.#askForRoom();
    }
    return this.#room;
  }

  async check(): Promise<void> {
    await this.freeSpace();
  }

  /** A disk is there, or says that it is not. */
  stopSoon(): void {}

  async #askForRoom(): Promise<FreeSpace> {
    const stats = await onDisk("ask for free room", () => statfs(this.root, { bigint: true }));
    return {
      free: Number(stats.bavail * stats.bsize),
      total: Number(stats.blocks * stats.bsize),
    };
  }

  async unpublish(savedPath: string): Promise<void> {
    const path = this.publishedPath(savedPath);
    await onDisk("remove the file", async () => {
      await unlinkIfThere(path);
      if (await statIfThere(dirname(path))) await this.#shared.flush(dirname(path));
    });
  }

  async namesOf(clientId: string): Promise<Set<string>> {
    const folder = join(this.root, checkedClientId(clientId));
    return onDisk("look at the published files", async () => {
      // Where nothing is mounted, nothing was removed.
      await readdir(this.parts);
      return new Set((await statIfThere(folder)) ? await readdir(folder) : []);
    });
  }

  async close(): Promise<void> {
    this.unlock();
  }

  /** @returns false if the name is taken by something else than the part itself */
  async #takeName(part: string, final: string): Promise<boolean> {
    try {
      return await takeName(part, final);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
      // The part's name goes last of all, so without one an earlier call came that far.
      if (!(await statIfThere(part)) && (await statIfThere(final))) return true;
      await this.#makeFolderAgain(dirname(final));
      return takeName(part, final);
    }
  }

  /** The same, also where somebody removed a folder that was made before. */
  async #makeFolderAgain(folder: string): Promise<void> {
    if (!(await statIfThere(folder))) this.#named.delete(folder);
    await this.#makeFolder(folder);
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#named.has(folder)) return;
    await mkdir(folder, { recursive: true });
    // Also if it was there: whoever made it may have died before this.
    await this.#shared.flush(this.root);
    this.#named.add(folder);
  }

  private partPath(downloadId: string): string {
    return join(this.parts, checkedDownloadId(downloadId) + PART);
  }

  private publishedPath(savedPath: string): string {
    return join(this.root, checkedPublishedPath(savedPath));
  }

  private pathOf(savedPath: string): string {
    return join(this.root, checkedFilePath(savedPath));
  }
}

function openForPart(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDWR | constants.O_CREAT, PUBLISHED_MODE);
}
