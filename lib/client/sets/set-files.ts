import fs from "node:fs";
import { join } from "node:path";
import type { WantedFile } from "../../protocol/messages.ts";
import { isUnchanged, mayBeUnchanged, type FileIdentity } from "../../protocol/identity.ts";
import type { PathCheck } from "../owner-rules/path-check.ts";
import { type FileInfo, infoOf, isUntouched, nanosecondsOf } from "../../util/files-at.ts";
import { explain, Refusal } from "../owner-rules/refusal.ts";
import { OpenFolder } from "./open-folder.ts";

/** An open file of a set. */
export class SetFile implements Disposable {
  private constructor(
    readonly fd: number,
    /** Attributes of the file when it was opened. */
    readonly info: FileInfo,
  ) {}

  /** Checks an open file. @throws Refusal if it is not a regular file, too large, or of unknown size */
  static fromDescriptor(fd: number): SetFile {
    try {
      const info = infoOf(fd);
      if (info.type !== "file") throw new Refusal("not_regular");
      if (info.size > Number.MAX_SAFE_INTEGER) throw new Refusal("too_large");
      // Files that the kernel generates on reading, as in /proc, occupy no blocks and state a wrong size.
      if (info.blocks === 0 && !endsAtStatedSize(fd, info)) throw new Refusal("size_unknown");
      return new SetFile(fd, info);
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  }

  /**
   * Compares the file's present attributes with those at opening, to tell whether the bytes read are one
   * consistent state. "perhaps" means that only times differ, so the bytes must be compared.
   */
  compare(): "same" | "perhaps" | "changed" {
    const now = infoOf(this.fd);
    if (isUntouched(this.info, now)) return "same";
    const [before, after] = [identityOf(this.info), identityOf(now)];
    if (isUnchanged(before, after)) return "same";
    return mayBeUnchanged(before, after) && now.links > 0 ? "perhaps" : "changed";
  }

  [Symbol.dispose](): void {
    fs.closeSync(this.fd);
  }
}

/**
 * Opens the files of a set one after the other. Leaves the folders on a file's path open until the next file
 * is opened, which is usually in the same folder.
 */
export class SetFiles implements Disposable {
  #root = -1;
  #names: string[] = [];
  /** The open folders on the path of the last file, the root first. */
  #folders: OpenFolder[] = [];

  constructor(private readonly pathCheck: PathCheck) {}

  /**
   * Opens a file of the set.
   * @throws FdsError `access_denied` if the owner's rules do not let the file out; `file_not_found`,
   *   `not_a_regular_file` or `file_unreadable`
   */
  open({ root, path }: WantedFile): SetFile {
    try {
      const real = this.pathCheck.roots[root]?.real;
      const names = path.split("/");
      const isValidPath = names.every(
        (name) => name !== "" && name !== "." && name !== ".." && !name.includes("\0"),
      );
      if (real === undefined || !isValidPath) throw new Refusal("outside");
      if (!this.pathCheck.permits(join(real, path))) throw new Refusal("denied");
      const name = names.pop() ?? "";
      return SetFile.fromDescriptor(this.#openFolder(root, real, names).openFile(name));
    } catch (error) {
      throw explain(error, path);
    }
  }

  [Symbol.dispose](): void {
    this.#closeFolders(0);
  }

  #openFolder(root: number, real: string, names: string[]): OpenFolder {
    if (root !== this.#root) this.#closeFolders(0);
    this.#root = root;
    let common = 0;
    while (common < names.length && names[common] === this.#names[common]) common++;
    this.#closeFolders(common + 1);
    if (this.#folders.length === 0)
      this.#folders.push(OpenFolder.open(real, this.pathCheck.hasProc));
    this.#names.length = this.#folders.length - 1;
    for (const name of names.slice(this.#names.length)) {
      const parent = this.#folders.at(-1);
      if (!parent) break;
      this.#folders.push(parent.openFolder(name));
      this.#names.push(name);
    }
    const folder = this.#folders.at(-1);
    if (!folder) throw new Refusal("missing");
    return folder;
  }

  /** Closes all open folders except the first `keepCount`. */
  #closeFolders(keepCount: number): void {
    for (const folder of this.#folders.splice(keepCount).toReversed()) folder[Symbol.dispose]();
    this.#names.length = Math.max(0, this.#folders.length - 1);
  }
}

function identityOf(info: FileInfo): FileIdentity {
  return {
    size: info.size,
    mtime_ns: nanosecondsOf(info.mtimeS, info.mtimeNs),
    ctime_ns: nanosecondsOf(info.ctimeS, info.ctimeNs),
    inode: String((BigInt(info.inodeHigh) << 32n) | BigInt(info.inodeLow)),
    device: String(info.device),
  };
}

/**
 * Reports whether a file ends at the size in its attributes. Files in /proc state a size of 0, and files in
 * /sys a size of 4096, whatever they contain.
 */
function endsAtStatedSize(fd: number, { size }: FileInfo): boolean {
  const last = Math.max(0, size - 1);
  try {
    // Tries to read the last byte and one byte beyond the end.
    if (last + fs.readSync(fd, Buffer.alloc(2), 0, 2, last) === size) return true;
  } catch {
    // A read error is reported later, when the whole file is read.
    return true;
  }
  // If the size has changed meanwhile, a program is writing to the file, so it is an ordinary file.
  return infoOf(fd).size !== size;
}
