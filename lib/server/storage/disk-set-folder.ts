import fs, { constants } from "node:fs";
import { copyFile, link, mkdir, open, readdir, rm, truncate } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncFolder } from "../../util/durable.ts";
import { eventLoopBudget } from "../../util/event-loop-budget.ts";
import { fileSystemSync } from "../../util/file-system-sync.ts";
import { systemCode } from "../../util/system-error.ts";
import { statIfThere } from "./file-names.ts";
import { onDisk, PartFile, problemOnDisk } from "./part.ts";
import { checkedSetFile } from "./paths.ts";
import { SetFileHandle } from "./set-file-handle.ts";
import type { SetFolder } from "./storage.ts";
import type { Part } from "./storage.ts";

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const LARGE_FILE = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
/**
 * Error codes of link(2) for a file that cannot get another hard link: the file system supports none, the
 * file has too many, or the new name is on another disk.
 */
const NO_LINK = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EXDEV"]);

export interface DiskSetFolderOptions {
  fileMode: number;
  /** Returns the absolute path of a published file. */
  pathOf: (savedPath: string) => string;
  /** Folders in which earlier attempts of other servers stored files of this set, latest first. */
  formerFolders: string[];
  onClose: () => void;
}

/** The files of an unfinished set, in a folder on the disk. */
export class DiskSetFolder implements SetFolder {
  /** Relative paths of the folders known to exist in the set. The empty path is the set's own folder. */
  readonly #folders = new Set([""]);
  /** Paths of the files written since the last flush. Systems without syncfs(2) flush each of these files. */
  readonly #unflushed = new Set<string>();
  /** Calls of close(2) for large files that have not returned yet. */
  #closing: Promise<void>[] = [];

  private constructor(
    private readonly path: string,
    /**
     * Descriptor of the set's folder. It is opened before the first write, so that syncfs(2) reports all
     * write errors.
     */
    private readonly fd: number,
    private readonly options: DiskSetFolderOptions,
  ) {}

  /**
   * Opens the folder of an unfinished set.
   * @param path path of the folder, which is created if it does not exist
   */
  static async open(path: string, options: DiskSetFolderOptions): Promise<DiskSetFolder> {
    return onDisk("open the folder of the set", async () => {
      await mkdir(path, { recursive: true });
      const fd = fs.openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
      return new DiskSetFolder(path, fd, options);
    });
  }

  get hasFormerFolders(): boolean {
    return this.options.formerFolders.length > 0;
  }

  async takeOver(path: string, length: number | null): Promise<void> {
    const to = this.#preparePath(path);
    await onDisk("take a file of the set over", async () => {
      for (const formerFolder of this.options.formerFolders) {
        const from = join(formerFolder, path);
        const found = await statIfThere(from);
        if (!found?.isFile() || found.size < (length ?? 0)) continue;
        await rm(to, { force: true });
        if (length === null) await linkOrCopy(from, to);
        else {
          await copyFile(from, to);
          await truncate(to, length);
        }
        this.#unflushed.add(path);
        return;
      }
    });
  }

  async dropFormerFolders(): Promise<void> {
    await onDisk("remove an earlier folder of the set", async () => {
      for (const path of this.options.formerFolders.splice(0)) {
        await rm(path, { recursive: true, force: true });
      }
    });
  }

  async empty(): Promise<void> {
    await this.dropFormerFolders();
    await onDisk("empty the folder of the set", async () => {
      const names = await readdir(this.path);
      if (names.length === 0) return;
      for (const name of names) await rm(join(this.path, name), { recursive: true, force: true });
      this.#folders.clear();
      this.#folders.add("");
      this.#unflushed.clear();
      if (!(await fileSystemSync.flush(this.fd))) await syncFolder(this.path);
    });
  }

  writeFile(path: string, bytes: Uint8Array, mtimeNs: bigint): void {
    try {
      const file = openNew(this.#preparePath(path), this.options.fileMode);
      try {
        for (let done = 0; done < bytes.length;) {
          done += fs.writeSync(file, bytes, done, bytes.length - done, done);
        }
        fs.futimesSync(file, secondsOf(mtimeNs), secondsOf(mtimeNs));
      } finally {
        fs.closeSync(file);
      }
    } catch (error) {
      throw problemOnDisk("write a file of the set", error);
    }
    this.#unflushed.add(path);
  }

  async openFile(path: string): Promise<Part> {
    return onDisk("open a file of the set", async () => {
      const absolutePath = this.#preparePath(path);
      const onClosing = (closing: Promise<void>) => this.#awaitClosing(closing);
      const openLarge = () =>
        SetFileHandle.open(absolutePath, LARGE_FILE, this.options.fileMode, onClosing);
      let file = openLarge();
      if (file.isLinked) {
        // The file is a hard link to a published file, whose bytes must not change.
        await file.close();
        fs.unlinkSync(absolutePath);
        file = openLarge();
      }
      this.#unflushed.add(path);
      return new PartFile(file, file.size, Promise.resolve());
    });
  }

  async setTime(path: string, mtimeNs: bigint): Promise<void> {
    const time = secondsOf(mtimeNs);
    // The modification time is set synchronously, because a thread-pool call takes ten times as long.
    await onDisk("set the time of a file of the set", async () =>
      fs.utimesSync(this.#preparePath(path), time, time),
    );
  }

  async linkFile(path: string, savedPath: string, size: number): Promise<boolean> {
    const from = this.options.pathOf(savedPath);
    const to = this.#preparePath(path);
    return onDisk("link a file of the set", async () => {
      try {
        if (!(await eventLoopBudget.run(() => linkIfSameSize(from, to, size)))) return false;
      } catch (error) {
        const code = systemCode(error) ?? "";
        if (code === "ENOENT" || code === "ENOTDIR") return false;
        if (!NO_LINK.has(code)) throw error;
        await rm(to, { force: true });
        await copyFile(from, to);
      }
      this.#unflushed.add(path);
      return true;
    });
  }

  sizeOf(path: string): number | null {
    const absolutePath = join(this.path, checkedSetFile(path));
    const stats = fs.lstatSync(absolutePath, { throwIfNoEntry: false });
    return stats?.isFile() ? stats.size : null;
  }

  async removeFile(path: string): Promise<void> {
    checkedSetFile(path);
    await onDisk("remove a file of the set", () =>
      eventLoopBudget.run(() => fs.rmSync(join(this.path, path), { force: true })),
    );
    this.#unflushed.delete(path);
  }

  async sync(): Promise<void> {
    const files = [...this.#unflushed];
    this.#unflushed.clear();
    const closing = this.#closing;
    this.#closing = [];
    await onDisk("flush the set", async () => {
      await Promise.all(closing);
      if (await fileSystemSync.flush(this.fd)) return;
      await this.#syncEach(files);
    });
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#closing);
    fs.closeSync(this.fd);
    this.options.onClose();
  }

  /** Makes the next flush wait for the close of a file, and report its error. */
  #awaitClosing(closing: Promise<void>): void {
    closing.catch(() => undefined);
    this.#closing.push(closing);
  }

  /** Flushes each file, and then each folder from the deepest up. For systems without syncfs(2). */
  async #syncEach(files: string[]): Promise<void> {
    for (const path of files) {
      const file = await open(join(this.path, path), "r+");
      try {
        await file.sync();
      } finally {
        await file.close();
      }
    }
    const deepestFirst = [...this.#folders].toSorted((a, b) => b.length - a.length);
    for (const folder of deepestFirst) await syncFolder(join(this.path, folder));
  }

  /** Returns the absolute path of a file, after checking the path and creating its folder. */
  #preparePath(path: string): string {
    checkedSetFile(path);
    this.#makeFolder(dirname(path) === "." ? "" : dirname(path));
    return join(this.path, path);
  }

  #makeFolder(folder: string): void {
    if (this.#folders.has(folder)) return;
    fs.mkdirSync(join(this.path, folder), { recursive: true });
    for (let each = folder; each !== "."; each = dirname(each)) this.#folders.add(each);
  }
}

/**
 * Creates a file, and opens it for writing. An existing file is unlinked and not overwritten, because it may
 * be a hard link to a published file.
 */
function openNew(path: string, mode: number): number {
  try {
    return fs.openSync(path, NEW_FILE, mode);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    fs.unlinkSync(path);
    return fs.openSync(path, NEW_FILE, mode);
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!NO_LINK.has(systemCode(error) ?? "")) throw error;
    await copyFile(from, to);
  }
}

/**
 * Creates a hard link to a file, replacing an existing file at the new path. Synchronous, because a
 * thread-pool call for each system call takes several times as long.
 * @returns false if `from` is not a file of this size
 */
function linkIfSameSize(from: string, to: string, size: number): boolean {
  const found = fs.lstatSync(from);
  if (!found.isFile() || found.size !== size) return false;
  try {
    fs.linkSync(from, to);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    fs.unlinkSync(to);
    fs.linkSync(from, to);
  }
  return true;
}

/**
 * Converts a time from ns to seconds, the unit of the system calls. A double is exact to a fraction of 1 µs.
 */
function secondsOf(ns: bigint): number {
  // Half a microsecond is added, because a double may be slightly below the exact time, and the system calls
  // round down.
  return (Number(ns / 1_000n) + 0.5) / 1e6;
}
