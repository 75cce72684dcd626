import { lstat, open, readlink, realpath, stat, type FileHandle } from "node:fs/promises";
import { constants } from "node:fs";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import type { FolderPaths } from "./folder.ts";
import { comparable, contains, resolveLinks } from "./paths.ts";
import { explain, Refusal } from "./refusal.ts";
import type { Rules } from "./rules.ts";
import { type SourceFile, sourceFileOf } from "./source-file.ts";

/**
 * Flags for opening a file. O_NONBLOCK keeps a FIFO at this path from blocking the open, and O_NOFOLLOW
 * refuses symbolic links. Windows has neither flag.
 */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export interface PathCheckOptions {
  /** The roots with their present real paths. The target of a root that is a symbolic link can change. */
  roots: readonly FolderPaths[];
  /** Folders that `~` and `$HOME` stand for in a path. */
  homes: readonly string[];
  /** Real paths of folders whose files may never leave the site, whatever the rules allow. */
  withheld: readonly string[];
  rules: Rules;
  mayBrowse: boolean;
  /** Whether `/proc/self/fd` gives the path of an open file, as on Linux. */
  hasProc: boolean;
}

/**
 * Resolves and checks the paths of one request. Links are followed step by step, and a step out of the roots
 * is refused before the disk is accessed, so errors do not tell whether a file outside exists. After a file
 * is opened its path is checked again, because links can change meanwhile.
 */
export class PathCheck {
  constructor(private readonly options: PathCheckOptions) {}

  /** Opens a file for reading, see {@link Roots.openFile}. */
  async open(filePath: string): Promise<SourceFile> {
    let problem = explain(new Refusal("outside"), filePath);
    for (const path of this.#candidates(filePath)) {
      try {
        return await this.#openAt(path);
      } catch (error) {
        problem = explain(error, filePath);
        if (problem.code !== "file_not_found") break;
      }
    }
    throw problem;
  }

  /** The roots, each with its present real path. */
  get roots(): readonly FolderPaths[] {
    return this.options.roots;
  }

  /** Whether the site allows listing the names of its files. */
  get mayBrowse(): boolean {
    return this.options.mayBrowse;
  }

  /** Whether `/proc/self/fd` gives the path of an open file, as on Linux. */
  get hasProc(): boolean {
    return this.options.hasProc;
  }

  /**
   * Returns the real path of a folder in a root. Does not check that the path leads to a folder.
   * @throws FdsError `access_denied` for a path that is outside the roots or that the rules deny, whether or
   *   not it exists; `file_not_found` for any other path that does not exist
   */
  async findFolder(path: string): Promise<string> {
    let problem = explain(new Refusal("outside"), path);
    for (const candidate of this.#candidates(path)) {
      try {
        if (this.#isInside(candidate) && !this.mayEnter(candidate)) throw new Refusal("denied");
        const real = await this.#canonical(await this.#follow(candidate));
        if (!this.mayEnter(real)) throw new Refusal("denied");
        return real;
      } catch (error) {
        problem = explain(error, path);
        if (problem.code !== "file_not_found") break;
      }
    }
    throw problem;
  }

  /** Reports whether a file may leave the site. @param path real and inside a root */
  permits(path: string): boolean {
    return this.#isPermitted(path);
  }

  /** Reports whether a folder may be opened. @param path real and inside a root */
  mayEnter(path: string): boolean {
    if (this.options.withheld.some((folder) => contains(folder, path))) return false;
    return this.options.rules.mayEnter(this.#pathsInRoots(path));
  }

  /** Returns the absolute paths, without `..`, that a requested path can stand for. */
  #candidates(filePath: string): string[] {
    if (filePath.includes("\0")) return [];
    for (const name of ["~", "$HOME"]) {
      if (!filePath.startsWith(name) || !["/", sep].includes(filePath.charAt(name.length)))
        continue;
      const rest = filePath.slice(name.length + 1);
      return this.options.homes
        .map((home) => this.#withRealRoot(join(home, rest)))
        .filter((path) => this.#isInside(path));
    }
    if (isAbsolute(filePath)) return [this.#withRealRoot(resolve(filePath))];
    return this.options.roots.map((root) => resolve(root.real, filePath));
  }

  async #openAt(path: string): Promise<SourceFile> {
    // Checked before the disk is accessed, so that the error does not tell whether a denied file exists.
    if (this.#isInside(path) && !this.#isPermitted(path)) throw new Refusal("denied");
    const realPath = await this.#follow(path);
    // Checked before the open, because opening a device can have side effects, and opening a FIFO can block.
    if (!(await lstat(realPath)).isFile()) throw new Refusal("not_regular");
    const handle = await open(realPath, OPEN_FLAGS);
    try {
      // The path that /proc gives for the open file is checked, too. For a file that was deleted meanwhile,
      // it ends with " (deleted)".
      for (const location of [realPath, await this.#locationOf(handle, realPath)]) {
        if (!this.#isInside(location)) throw new Refusal("outside");
        if (!this.#isPermitted(location)) throw new Refusal("denied");
      }
      return await sourceFileOf(handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /**
   * Resolves all symbolic links of a path. A link may lead back into a root through the folders above this
   * root, which are known not to be links.
   */
  async #follow(path: string): Promise<string> {
    const real = await resolveLinks(path, {
      isKnownFolder: (next) => {
        if (this.#isAbove(next)) return true;
        if (!this.#isInside(next)) throw new Refusal("outside");
        return false;
      },
      mapTarget: (target) => this.#withRealRoot(target),
    });
    if (!this.#isInside(real)) throw new Refusal("outside");
    return real;
  }

  /**
   * Returns the canonical path of a folder. Systems other than Linux can have several spellings of one path.
   */
  async #canonical(path: string): Promise<string> {
    if (this.options.hasProc) return path;
    const real = await realpath(path);
    if (!this.#isInside(real)) throw new Refusal("outside");
    return real;
  }

  /** Returns the real path of an open file. Later changes of links do not affect the result. */
  async #locationOf(handle: FileHandle, path: string): Promise<string> {
    if (this.options.hasProc) return readlink(`/proc/self/fd/${handle.fd}`);
    const location = await realpath(path);
    const found = await stat(location, { bigint: true });
    const opened = await handle.stat({ bigint: true });
    if (found.ino !== opened.ino || found.dev !== opened.dev) throw new Refusal("changed");
    return location;
  }

  /** If a path begins with a root as the owner wrote it, replaces this beginning by the root's real path. */
  #withRealRoot(path: string): string {
    const comparablePath = comparable(path);
    const root = this.options.roots.find(
      ({ given }) =>
        comparablePath === comparable(given) || comparablePath.startsWith(comparable(given + sep)),
    );
    return root === undefined ? path : root.real + path.slice(root.given.length);
  }

  #isPermitted(path: string): boolean {
    if (this.options.withheld.some((folder) => contains(folder, path))) return false;
    return this.options.rules.permits(this.#pathsInRoots(path));
  }

  /** Returns a path relative to each of the roots that contain the path, with forward slashes. */
  #pathsInRoots(path: string): string[] {
    return this.options.roots
      .filter(({ real }) => contains(real, path))
      .map(({ real }) => relative(real, path).replaceAll(sep, "/"));
  }

  #isInside(path: string): boolean {
    return this.options.roots.some((root) => contains(root.real, path));
  }

  #isAbove(path: string): boolean {
    return this.options.roots.some((root) => contains(path, root.real));
  }
}
