import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { resolve } from "node:path";
import { UsageError } from "../../util/flags.ts";
import { systemCode } from "../../util/system-error.ts";
import { Folder } from "./folder.ts";
import { PathCheck } from "./path-check.ts";
import { Rules } from "./rules.ts";
import type { SourceFile } from "./source-file.ts";

export interface RootsOptions {
  /** Patterns of files that may leave, and of files that may not; see {@link Rules}. */
  allow?: string[];
  deny?: string[];
  /** Whether the names of files may be listed. If not, only files whose full path is given may leave. */
  mayBrowse?: boolean;
  /** Folder that `~` and `$HOME` stand for; null for none. The default is the user's home folder. */
  home?: string | null;
  /** Whether `/proc/self/fd` gives the path of an open file, as on Linux. */
  hasProc?: boolean;
}

/** The folders whose files the client serves. Files outside them are never opened for the server. */
export class Roots {
  readonly #withheld: Folder[] = [];

  private constructor(
    private readonly folders: Folder[],
    private readonly homes: string[],
    private readonly rules: Rules,
    private readonly mayBrowse: boolean,
    private readonly hasProc: boolean,
  ) {}

  /**
   * Opens the roots.
   * @param paths folders, absolute or relative to the working directory
   * @throws UsageError if there are no paths, if one is not a readable folder, or if a pattern cannot match
   *   anything
   */
  static async open(paths: string[], options: RootsOptions = {}): Promise<Roots> {
    if (paths.length === 0) throw new UsageError("no folder to serve, pass --root FOLDER");
    const folders = await Promise.all(paths.map(openRoot));
    const homes = await pathsOfFolder(options.home === undefined ? homeOfUser() : options.home);
    const baseFolders = { roots: folders.flatMap(({ given, real }) => [given, real]), homes };
    const rules = new Rules(options.allow ?? [], options.deny ?? [], baseFolders);
    // Depends on the real platform, because /proc exists on Linux even if a test lets the rules imitate
    // Windows.
    const hasProc = options.hasProc ?? process.platform === "linux";
    return new Roots(folders, homes, rules, options.mayBrowse ?? true, hasProc);
  }

  /**
   * Keeps a folder's files from leaving the site from now on, whatever the rules allow.
   * @throws Error if the folder does not exist
   */
  async withhold(path: string): Promise<void> {
    this.#withheld.push(await Folder.open(path));
  }

  /**
   * Opens a file for reading. A relative path is tried in each root in order. The first root that contains
   * the path decides, even if it refuses the file.
   * @param filePath the path as an operator gave it
   * @throws FdsError `access_denied` for a path outside the roots, whether or not it exists, and for a file
   *   that the rules or the system's permissions keep back; `file_not_found`, `not_a_regular_file` or
   *   `file_unreadable` for a path inside
   */
  async openFile(filePath: string): Promise<SourceFile> {
    return (await this.pathCheck()).open(filePath);
  }

  /** Resolves the present real paths of the roots, and returns the PathCheck for one request. */
  async pathCheck(): Promise<PathCheck> {
    const { homes, rules, mayBrowse, hasProc } = this;
    const roots = await Promise.all(this.folders.map((folder) => this.#locate(folder)));
    const located = await Promise.all(this.#withheld.map((folder) => this.#locate(folder)));
    const withheld = [...this.#withheld, ...located].map(({ real }) => real);
    return new PathCheck({ roots, homes, withheld, rules, mayBrowse, hasProc });
  }

  /**
   * Resolves the present real path of a root or of a withheld folder. A link inside another root is not
   * followed, because users who can write in that root must not be able to move this folder.
   */
  #locate(folder: Folder) {
    return folder.locate((link) =>
      this.folders.some((other) => other !== folder && other.holds(link)),
    );
  }
}

/**
 * Returns the home folder of the user; null for a user without one, as in a container that runs under a
 * numeric user id.
 */
function homeOfUser(): string | null {
  try {
    return homedir();
  } catch (error) {
    if (systemCode(error) === null) throw error;
    return null;
  }
}

/** Returns the paths of a folder: as given, and without symbolic links. */
async function pathsOfFolder(folder: string | null): Promise<string[]> {
  if (folder === null) return [];
  const given = resolve(folder);
  return [given, await realpath(given).catch(() => given)];
}

async function openRoot(path: string): Promise<Folder> {
  try {
    const folder = await Folder.open(path);
    if (!(await stat(folder.real)).isDirectory()) throw new Error("it is no folder");
    await access(folder.real, constants.R_OK | constants.X_OK);
    return folder;
  } catch (cause) {
    throw new UsageError(
      `cannot serve "${path}", pass folders that are there and can be read with --root or CLIENT_ROOTS`,
      { cause },
    );
  }
}
