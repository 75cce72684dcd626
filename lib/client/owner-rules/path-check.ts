import { lstat, open, readlink, realpath, stat, type FileHandle } from "node:fs/promises";
import { constants } from "node:fs";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import type { Place } from "./folder.ts";
import { comparable, contains, walk } from "./paths.ts";
import { explain, Refusal } from "./refusal.ts";
import type { Rules } from "./rules.ts";
import { type SourceFile, sourceFileOf } from "./source-file.ts";

/**
 * Opened without blocking, so that a FIFO in the file's place cannot hang it, and without following links;
 * Windows has neither flag.
 */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export interface PathCheckOptions {
  /** Where the roots are now: one that was given as a link may move. */
  roots: readonly Place[];
  /** Folders that `~` and `$HOME` stand for. */
  homes: readonly string[];
  /** Real folders of which nothing leaves, whatever the rules say. */
  withheld: readonly string[];
  rules: Rules;
  mayBrowse: boolean;
  /** Whether `/proc/self/fd` tells where an open file lies, as it does on Linux. */
  hasProc: boolean;
}

/**
 * Finds the file of one request. Links are followed by hand, and the first step out of the roots is refused
 * before the disk is looked at, so no answer tells anything about the rest of the machine. As links can
 * change between the look and the open, the place of the open file is checked once more.
 */
export class PathCheck {
  constructor(private readonly options: PathCheckOptions) {}

  /** See {@link Roots.openFile}. */
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

  /** The roots at their present places. */
  get roots(): readonly Place[] {
    return this.options.roots;
  }

  /** Whether the site allows listing the names of its files. */
  get mayBrowse(): boolean {
    return this.options.mayBrowse;
  }

  /** Whether `/proc/self/fd` tells where an open file lies. */
  get hasProc(): boolean {
    return this.options.hasProc;
  }

  /**
   * The real path of a folder in a root; it may turn out not to be a folder.
   * @throws FdsError `access_denied` for paths outside the roots or denied, whether they exist or not;
   *   `file_not_found` for a missing one inside
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

  /** Whether a file may leave. @param path real and inside a root */
  permits(path: string): boolean {
    return this.#isPermitted(path);
  }

  /** Whether a folder may be opened. @param path real and inside a root */
  mayEnter(path: string): boolean {
    if (this.options.withheld.some((folder) => contains(folder, path))) return false;
    return this.options.rules.mayEnter(this.#within(path));
  }

  /** The absolute paths that a request can mean, without `..`. */
  #candidates(filePath: string): string[] {
    if (filePath.includes("\0")) return [];
    for (const name of ["~", "$HOME"]) {
      if (!filePath.startsWith(name) || !["/", sep].includes(filePath.charAt(name.length)))
        continue;
      const rest = filePath.slice(name.length + 1);
      return this.options.homes
        .map((home) => this.#respell(join(home, rest)))
        .filter((path) => this.#isInside(path));
    }
    if (isAbsolute(filePath)) return [this.#respell(resolve(filePath))];
    return this.options.roots.map((root) => resolve(root.real, filePath));
  }

  async #openAt(path: string): Promise<SourceFile> {
    // Before the disk is looked at, so that no answer tells whether a denied file exists.
    if (this.#isInside(path) && !this.#isPermitted(path)) throw new Refusal("denied");
    const realPath = await this.#follow(path);
    // Before the open: opening a device can have effects, and opening a FIFO waits.
    if (!(await lstat(realPath)).isFile()) throw new Refusal("not_regular");
    const handle = await open(realPath, OPEN_FLAGS);
    try {
      // /proc appends a word to the name of a file that was deleted meanwhile.
      for (const place of [realPath, await this.#locationOf(handle, realPath)]) {
        if (!this.#isInside(place)) throw new Refusal("outside");
        if (!this.#isPermitted(place)) throw new Refusal("denied");
      }
      return await sourceFileOf(handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /**
   * The real path. The folders above the roots are known to be real, so a link may lead through them and
   * back.
   */
  async #follow(path: string): Promise<string> {
    const real = await walk(path, {
      isKnown: (next) => {
        if (this.#isAbove(next)) return true;
        if (!this.#isInside(next)) throw new Refusal("outside");
        return false;
      },
      respell: (target) => this.#respell(target),
    });
    if (!this.#isInside(real)) throw new Refusal("outside");
    return real;
  }

  /** The one spelling of a folder's path. Other systems than Linux have several for one folder. */
  async #canonical(path: string): Promise<string> {
    if (this.options.hasProc) return path;
    const real = await realpath(path);
    if (!this.#isInside(real)) throw new Refusal("outside");
    return real;
  }

  /** Where an open file lies; no change of a link can alter this any more. */
  async #locationOf(handle: FileHandle, path: string): Promise<string> {
    if (this.options.hasProc) return readlink(`/proc/self/fd/${handle.fd}`);
    const location = await realpath(path);
    const found = await stat(location, { bigint: true });
    const opened = await handle.stat({ bigint: true });
    if (found.ino !== opened.ino || found.dev !== opened.dev) throw new Refusal("changed");
    return location;
  }

  /** Replaces a root's given path at the front of a path by its real one. */
  #respell(path: string): string {
    const asked = comparable(path);
    const root = this.options.roots.find(
      ({ given }) => asked === comparable(given) || asked.startsWith(comparable(given + sep)),
    );
    return root === undefined ? path : root.real + path.slice(root.given.length);
  }

  #isPermitted(path: string): boolean {
    if (this.options.withheld.some((folder) => contains(folder, path))) return false;
    return this.options.rules.permits(this.#within(path));
  }

  /** The path within each root that contains it, with forward slashes. */
  #within(path: string): string[] {
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
