import fs, { type BigIntStats, constants } from "node:fs";
import { join } from "node:path";
import { type FolderName, namesIn } from "../../util/folder-names.ts";
import { Refusal } from "../owner-rules/refusal.ts";

const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** A non-blocking open cannot hang on a FIFO that took the file's place; Windows lacks both. */
const FILE_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * A folder that is open. What is in it is reached through its descriptor, one name at a time, and no
 * link is followed: whoever renames folders or puts links in their place meanwhile changes nothing of
 * where this leads.
 */
export class OpenFolder implements Disposable {
  /** Where its names are looked up. */
  readonly #base: string;

  private constructor(
    private readonly fd: number,
    /** Where it was when it was opened. */
    private readonly path: string,
    private readonly hasProc: boolean,
  ) {
    this.#base = hasProc ? `/proc/self/fd/${fd}` : path;
  }

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

  /** Opens a folder in it. @throws as {@link OpenFolder.open} */
  folder(name: string): OpenFolder {
    const path = join(this.path, name);
    const fd = fs.openSync(`${this.#base}/${name}`, FOLDER_FLAGS);
    const folder = new OpenFolder(fd, path, this.hasProc);
    folder.#check(fd, path);
    return folder;
  }

  /**
   * Opens a file in it for reading; the caller closes it.
   * @throws an error of the system, ELOOP where it is a link
   * @throws Refusal `changed` where another file than that of the name was opened
   */
  file(name: string): number {
    const fd = fs.openSync(`${this.#base}/${name}`, FILE_FLAGS);
    this.#check(fd, join(this.path, name));
    return fd;
  }

  /** Looks at something in it without following a link. @throws an error of the system */
  stat(name: string): BigIntStats {
    return fs.lstatSync(`${this.#base}/${name}`, { bigint: true });
  }

  /** What is in it, some at a time, in no order. A name that is not UTF-8 leads nowhere. */
  names(): AsyncGenerator<FolderName[]> {
    return namesIn(this.#base);
  }

  [Symbol.dispose](): void {
    fs.closeSync(this.fd);
  }

  /**
   * Without /proc, names are looked up by path, and Windows follows links: what was opened must be what
   * lies there, under this name and no other.
   */
  #check(fd: number, path: string): void {
    if (this.hasProc) return;
    try {
      const opened = fs.fstatSync(fd);
      const there = fs.lstatSync(path);
      const isSame = there.ino === opened.ino && there.dev === opened.dev;
      // The system's own: the other one knows no short names, and only links that lstat shows.
      if (isSame && fs.realpathSync.native(path) === path) return;
      throw new Refusal("changed");
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  }
}

/** What a name in a folder is; "other" for links, devices, FIFOs and sockets. */
export type EntryType = "file" | "folder" | "other";

/**
 * Some file systems do not say what a name is: then it is looked at. So is one with a U+FFFD: it may
 * be shown for a name that is not UTF-8, and be that of something else.
 * @throws an error of the system
 */
export function typeOf({ name, type }: FolderName, folder: OpenFolder): EntryType {
  if (type !== "unknown" && !name.includes("\uFFFD")) return type;
  const found = folder.stat(name);
  if (found.isFile()) return "file";
  return found.isDirectory() ? "folder" : "other";
}

/** Orders names by their bytes in UTF-8. JavaScript's own order differs beyond U+FFFF. */
export function compareNames(a: string, b: string): number {
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const SURROGATE = /[\uD800-\uDFFF]/;
