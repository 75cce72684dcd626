import fs, { constants } from "node:fs";
import { join } from "node:path";
import { type FileInfo, infoAt, infoFrom, openAt } from "../../util/files-at.ts";
import { type FolderName, namesIn } from "../../util/folder-names.ts";
import { Refusal } from "../owner-rules/refusal.ts";

const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/**
 * Flags for opening a file. O_NONBLOCK keeps a FIFO at this path from blocking the open, and O_NOFOLLOW
 * refuses symbolic links. Windows has neither flag.
 */
const FILE_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * An open folder. Symbolic links inside are not followed. On Linux, names inside are looked up relative to
 * the folder's descriptor, one at a time, so renaming the folder meanwhile, or replacing it with a link,
 * cannot redirect a look-up. On other systems, names are looked up by path, and what was opened is checked
 * afterwards.
 */
export class OpenFolder implements Disposable {
  private constructor(
    private readonly fd: number,
    /** The path at which the folder was opened. */
    private readonly path: string,
    private readonly hasProc: boolean,
  ) {}

  /**
   * Opens a folder.
   * @param path real and absolute
   * @param hasProc whether `/proc/self/fd` leads to open files, as on Linux
   * @throws an error of the system, such as ELOOP or ENOTDIR if the folder was replaced by a symbolic link
   */
  static open(path: string, hasProc: boolean): OpenFolder {
    const folder = new OpenFolder(fs.openSync(path, FOLDER_FLAGS), path, hasProc);
    folder.#check(folder.fd, path);
    return folder;
  }

  /** Opens a folder inside this folder. @throws as {@link OpenFolder.open} */
  openFolder(name: string): OpenFolder {
    const path = join(this.path, name);
    const fd = this.#open(name, path, FOLDER_FLAGS);
    const folder = new OpenFolder(fd, path, this.hasProc);
    folder.#check(fd, path);
    return folder;
  }

  /**
   * Opens a file inside this folder for reading.
   * @returns the descriptor, which the caller closes
   * @throws an error of the system, such as ELOOP for a symbolic link
   * @throws Refusal `changed` if the opened file is not the file that has this name
   */
  openFile(name: string): number {
    const path = join(this.path, name);
    const fd = this.#open(name, path, FILE_FLAGS);
    this.#check(fd, path);
    return fd;
  }

  /**
   * Returns the attributes of a name inside this folder, without following a symbolic link.
   * @throws an error of the system
   */
  stat(name: string): FileInfo {
    if (this.hasProc) return infoAt(this.fd, name);
    return infoFrom(fs.lstatSync(join(this.path, name), { bigint: true }));
  }

  /**
   * Reads the names in this folder in batches, unsorted. A name that is not valid UTF-8 cannot be looked up.
   */
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
   * Checks that the opened file is still the file at its path, under exactly this name. Systems without /proc
   * need this check, because names are looked up by path there. Windows also follows links when it opens a
   * file.
   */
  #check(fd: number, path: string): void {
    if (this.hasProc) return;
    try {
      const opened = fs.fstatSync(fd);
      const current = fs.lstatSync(path);
      const isSame = current.ino === opened.ino && current.dev === opened.dev;
      // realpathSync.native() also resolves Windows short names, and links that lstat does not show.
      // realpathSync() does not.
      if (isSame && fs.realpathSync.native(path) === path) return;
      throw new Refusal("changed");
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  }
}

/** The type of a name in a folder. Links, devices, FIFOs and sockets are "other". */
export type EntryType = "file" | "folder" | "other";

/**
 * Returns the type of a name. Calls stat if the type is unknown, or if the name contains U+FFFD. This
 * character can replace bytes that are not UTF-8, and the decoded name may then be that of another file, or
 * of no file.
 * @throws an error of the system
 */
export function typeOf({ name, type }: FolderName, folder: OpenFolder): EntryType {
  if (type !== "unknown" && !name.includes("\uFFFD")) return type;
  return folder.stat(name).type;
}

/** Compares names by their bytes in UTF-8. JavaScript compares UTF-16 units, which differs above U+FFFF. */
export function compareNames(a: string, b: string): number {
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const SURROGATE = /[\uD800-\uDFFF]/;
