import fs, { constants } from "node:fs";
import { join } from "node:path";
import { type FileInfo, infoAt, infoFrom, openAt } from "../../util/files-at.ts";
import { type FolderName, namesIn } from "../../util/folder-names.ts";
import { Refusal } from "../owner-rules/refusal.ts";

const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/**
 * Opened without blocking, so that a FIFO in the file's place cannot hang it, and without following links;
 * Windows has neither flag.
 */
const FILE_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * An open folder. Its contents are reached through its descriptor, one name at a time, and no link is
 * followed. So renamed folders, or links put in their place meanwhile, change nothing.
 */
export class OpenFolder implements Disposable {
  private constructor(
    private readonly fd: number,
    /** The path at which it was opened. */
    private readonly path: string,
    private readonly hasProc: boolean,
  ) {}

  /**
   * @param path real and absolute
   * @param hasProc whether `/proc/self/fd` leads to open files, as it does on Linux
   * @throws an error of the system, ELOOP or ENOTDIR where a link took its place
   */
  static open(path: string, hasProc: boolean): OpenFolder {
    const folder = new OpenFolder(fs.openSync(path, FOLDER_FLAGS), path, hasProc);
    folder.#check(folder.fd, path);
    return folder;
  }

  /** Opens a folder inside it. @throws as {@link OpenFolder.open} */
  folder(name: string): OpenFolder {
    const path = join(this.path, name);
    const fd = this.#open(name, path, FOLDER_FLAGS);
    const folder = new OpenFolder(fd, path, this.hasProc);
    folder.#check(fd, path);
    return folder;
  }

  /**
   * Opens a file inside it for reading; the caller closes it.
   * @throws an error of the system, ELOOP where it is a link
   * @throws Refusal `changed` where the opened file is not the one of that name
   */
  file(name: string): number {
    const path = join(this.path, name);
    const fd = this.#open(name, path, FILE_FLAGS);
    this.#check(fd, path);
    return fd;
  }

  /** Looks at something inside it without following a link. @throws an error of the system */
  stat(name: string): FileInfo {
    if (this.hasProc) return infoAt(this.fd, name);
    return infoFrom(fs.lstatSync(join(this.path, name), { bigint: true }));
  }

  /** Its names, some at a time, unsorted. A name that is not UTF-8 cannot be looked up. */
  names(): AsyncGenerator<FolderName[]> {
    return namesIn(this.hasProc ? `/proc/self/fd/${this.fd}` : this.path);
  }

  [Symbol.dispose](): void {
    fs.closeSync(this.fd);
  }

  #open(name: string, path: string, flags: number): number {
    return this.hasProc ? openAt(this.fd, name, flags) : fs.openSync(path, flags);
  }

  /**
   * Checks that the opened file is the one at its path, under exactly this name. Needed without /proc,
   * where names are looked up by path, and on Windows, which follows links.
   */
  #check(fd: number, path: string): void {
    if (this.hasProc) return;
    try {
      const opened = fs.fstatSync(fd);
      const there = fs.lstatSync(path);
      const isSame = there.ino === opened.ino && there.dev === opened.dev;
      // The native function: the other one does not resolve short names, and only links that lstat shows.
      if (isSame && fs.realpathSync.native(path) === path) return;
      throw new Refusal("changed");
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  }
}

/** The type of a name in a folder; "other" for links, devices, FIFOs and sockets. */
export type EntryType = "file" | "folder" | "other";

/**
 * The type of a name. Some file systems do not tell it, so the file is looked at. So is a name with a
 * U+FFFD: it may stand for one that is not UTF-8, and belong to something else.
 * @throws an error of the system
 */
export function typeOf({ name, type }: FolderName, folder: OpenFolder): EntryType {
  if (type !== "unknown" && !name.includes("\uFFFD")) return type;
  return folder.stat(name).type;
}

/** Orders names by their bytes in UTF-8. JavaScript's own order differs beyond U+FFFF. */
export function compareNames(a: string, b: string): number {
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const SURROGATE = /[\uD800-\uDFFF]/;
