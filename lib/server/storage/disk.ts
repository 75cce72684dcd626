import { constants, fstatSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, statfs, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { rethrowUnlessUnsupported, statIfThere, takeName, unlinkIfThere } from "./file-names.ts";
import { copyDurably, readOrCreateMark } from "./files.ts";
import { systemCode } from "../../util/system-error.ts";
import { DiskSets } from "./disk-sets.ts";
import { onDisk, PartFile } from "./part.ts";
import { checkedClientId, checkedFilePath, checkedPublishedPath } from "./paths.ts";
import { AttemptNames, type AttemptPath } from "./attempt-names.ts";
import { openServerFolder } from "./server-folder.ts";
import { SharedSync } from "../../util/shared-sync.ts";
import type { FreeSpace, IsOurs, Part, SetStorage, Storage, StoredFile } from "./storage.ts";

const PART = ".part";
/** Ending of the name of an incomplete copy of an earlier attempt's part. */
const COPY = ".copy";
/**
 * Mode of published files: all users may read them, unless the umask forbids it. Parts have this mode from
 * the start, because changing it later would need another flush. Their folder is private.
 */
const PUBLISHED_MODE = 0o644 & ~process.umask();
/**
 * How long a measurement of the free space is reused, in ms. While one small file arrives, the free space is
 * asked for several times.
 */
const FREE_SPACE_AGE_MS = 20;

/**
 * Stores bytes in a folder: parts in `.server/parts/`, published files in `<client_id>/<name>`. The folder is
 * locked against other servers until {@link Storage.close}, unless it is shared.
 * @param downloadsDir the folder, which is created if it does not exist
 * @param isShared true: several servers write to the folder, and coordinate by the rows of the database
 * @throws Error naming the folder if it is not writable or another server uses it
 */
export async function openDiskStorage(downloadsDir: string, isShared = false): Promise<Storage> {
  const unlock = await openServerFolder(downloadsDir, { isShared, names: ["parts"] });
  return new DiskStorage(resolve(downloadsDir), isShared, unlock);
}

class DiskStorage implements Storage {
  readonly sets: SetStorage;
  /** True, because simultaneous flushes would block all threads of the thread pool. */
  readonly checkpointsInTurn = true;
  readonly #shared = new SharedSync();
  /** Paths of clients' folders whose creation is known to be flushed to the disk. */
  readonly #flushedFolders = new Set<string>();
  readonly #partNames: AttemptNames;
  readonly #copyNames: AttemptNames;
  readonly #parts: string;
  #freeSpace: Promise<FreeSpace> | undefined;
  #measuredAt = 0;

  constructor(
    private readonly root: string,
    private readonly isShared: boolean,
    private readonly unlock: () => void,
  ) {
    this.#parts = join(root, ".server", "parts");
    this.#partNames = new AttemptNames(this.#parts, PART, isShared);
    this.#copyNames = new AttemptNames(this.#parts, COPY, isShared);
    this.sets = new DiskSets({
      parts: this.#parts,
      isShared,
      fileMode: PUBLISHED_MODE,
      publishedPath: (savedPath) => this.publishedPath(savedPath),
      pathOf: (savedPath) => this.pathOf(savedPath),
      makeFolder: (folder) => this.#makeFolderAgain(folder),
    });
  }

  async openPart(downloadId: string, epoch = 0, isWhole = false): Promise<Part> {
    const path = this.#partNames.pathOf(downloadId, epoch);
    return onDisk("open the part file", async () => {
      await this.#takeOver(downloadId, epoch, isWhole);
      let file = await openForPart(path);
      // fstat is called synchronously: it does not wait for the disk, because the open has brought the file's
      // metadata into memory, and a call in the thread pool would take ten times as long.
      if (fstatSync(file.fd).nlink > 1) {
        // The file has a second hard link: an interrupted publish() has given it a published name. A
        // published file must never be written to.
        await file.close();
        await unlink(path);
        file = await openForPart(path);
      }
      try {
        const { size, mode } = fstatSync(file.fd);
        if ((mode & 0o777) !== PUBLISHED_MODE) {
          await file.chmod(PUBLISHED_MODE).catch(rethrowUnlessUnsupported);
        }
        const onClose = () => this.#partNames.recordEnd(downloadId, epoch);
        // The folder is flushed even if the file already existed, because the process that created the file
        // may have crashed before the flush.
        return new PartFile(file, size, this.#shared.flush(this.#parts), onClose);
      } catch (error) {
        await file.close();
        throw error;
      }
    });
  }

  async removePart(downloadId: string): Promise<void> {
    await onDisk("remove the part file", () => this.#removeParts(downloadId));
  }

  async listParts(): Promise<string[]> {
    return onDisk("list the part files", async () => {
      return [...new Set([...(await this.#partNames.list()), ...(await this.#copyNames.list())])];
    });
  }

  async publish(
    downloadId: string,
    savedPath: string,
    epoch = 0,
    isOurs: IsOurs = async () => true,
  ): Promise<boolean> {
    const final = this.publishedPath(savedPath);
    const folder = dirname(final);
    return onDisk("publish the file", async () => {
      const part = await this.#partOf(downloadId, epoch);
      await this.#makeFolder(folder);
      if (!(await this.#takeName(part, final))) return false;
      try {
        // The new name is flushed before the part's name is removed, so that a power cut cannot lose both
        // names.
        await this.#shared.flush(folder);
        await this.#removeParts(downloadId, part);
      } catch (error) {
        // The next try publishes the file under another name, so this name is removed. It stays in two cases:
        // the part is gone, so that the file has no other name, or another server has taken over the
        // publishing.
        const mayRemoveName = (await statIfThere(part)) && (await isOurs().catch(() => false));
        if (mayRemoveName) await unlinkIfThere(final);
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
    if (this.#freeSpace === undefined || now - this.#measuredAt > FREE_SPACE_AGE_MS) {
      this.#measuredAt = now;
      this.#freeSpace = this.#measureFreeSpace();
    }
    return this.#freeSpace;
  }

  async check(): Promise<void> {
    await this.freeSpace();
  }

  /** Does nothing, because calls to a disk succeed or fail at once. */
  stopSoon(): void {}

  async #measureFreeSpace(): Promise<FreeSpace> {
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
      // Throws if the disk is not mounted. Otherwise all files would seem to have been removed.
      await readdir(this.#parts);
      return new Set((await statIfThere(folder)) ? await readdir(folder) : []);
    });
  }

  async close(): Promise<void> {
    this.unlock();
  }

  async identity(): Promise<string> {
    return onDisk("read the mark of the folder", () =>
      readOrCreateMark(join(this.root, ".server", "mark")),
    );
  }

  /**
   * Returns the path of the download's part: this attempt's if it exists, else the latest earlier attempt's.
   * If no attempt has a part, returns the path that this attempt's part would have.
   */
  async #partOf(downloadId: string, epoch: number): Promise<string> {
    const ownPath = this.#partNames.pathOf(downloadId, epoch);
    if (!this.isShared || (await statIfThere(ownPath))) return ownPath;
    return (await this.#partNames.latest(downloadId, epoch))?.path ?? ownPath;
  }

  /**
   * Turns the part of the latest earlier attempt into this attempt's part: by a copy if another server may
   * still write to it, else by a rename. Then removes the parts of all earlier attempts.
   */
  async #takeOver(downloadId: string, epoch: number, isWhole: boolean): Promise<void> {
    const ownPath = this.#partNames.pathOf(downloadId, epoch);
    if (!this.isShared || (await statIfThere(ownPath))) return;
    const former = await this.#partNames.latest(downloadId, epoch);
    if (!former) return;
    if (isWhole || this.#partNames.hasNoWriter(downloadId, former.epoch))
      await rename(former.path, ownPath);
    else {
      const copy = this.#copyNames.pathOf(downloadId, epoch);
      await copyDurably(former.path, copy);
      await rename(copy, ownPath);
    }
    await this.#shared.flush(this.#parts);
    for (const each of await this.#partNames.all(downloadId)) {
      if (each.epoch < epoch) await unlinkIfThere(each.path);
    }
  }

  /** Returns the parts of a download, and incomplete copies of parts. */
  async #allOf(downloadId: string): Promise<AttemptPath[]> {
    return [...(await this.#copyNames.all(downloadId)), ...(await this.#partNames.all(downloadId))];
  }

  /**
   * Removes all parts of a download.
   * @param last path of the part to remove after all others
   */
  async #removeParts(downloadId: string, last?: string): Promise<void> {
    const ownPath = this.#partNames.pathOf(downloadId, 0);
    const all = this.isShared ? await this.#allOf(downloadId) : [{ path: ownPath }];
    for (const { path } of all) if (path !== last) await unlinkIfThere(path);
    if (last !== undefined) await unlinkIfThere(last);
    this.#partNames.forget(downloadId);
  }

  /**
   * Gives a part its final name.
   * @returns false if the name is taken by another file
   */
  async #takeName(part: string, final: string): Promise<boolean> {
    try {
      return await takeName(part, final);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
      // The part's own name is removed last. If it is gone and the final name exists, an earlier call has
      // already published the file.
      if (!(await statIfThere(part)) && (await statIfThere(final))) return true;
      await this.#makeFolderAgain(dirname(final));
      return takeName(part, final);
    }
  }

  /** Creates a folder, even if it was created before and has been removed since. */
  async #makeFolderAgain(folder: string): Promise<void> {
    if (!(await statIfThere(folder))) this.#flushedFolders.delete(folder);
    await this.#makeFolder(folder);
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#flushedFolders.has(folder)) return;
    await mkdir(folder, { recursive: true });
    // The name is flushed even if the folder already existed, because the process that created the folder may
    // have crashed before the flush.
    await this.#shared.flush(this.root);
    this.#flushedFolders.add(folder);
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
