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
  /** Patterns of files that may leave, and of those that may not; see {@link Rules}. */
  allow?: string[];
  deny?: string[];
  /** Whether the names of files may be listed; otherwise only files named in full leave. */
  mayBrowse?: boolean;
  /** Folder that `~` and `$HOME` stand for; null: none. By default, the user's home folder. */
  home?: string | null;
  /** Whether `/proc/self/fd` tells where an open file lies, as it does on Linux. */
  hasProc?: boolean;
}

/** The folders that a client is willing to serve. `path-check.ts` opens files in them, and nothing else. */
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
   * @param paths folders, absolute or relative to the working directory
   * @throws UsageError when there is none, when one is not a readable folder, or when a pattern can match
   *   nothing
   */
  static async open(paths: string[], options: RootsOptions = {}): Promise<Roots> {
    if (paths.length === 0) throw new UsageError("no folder to serve, pass --root FOLDER");
    const folders = await Promise.all(paths.map(openRoot));
    const homes = await namesOf(options.home === undefined ? homeOfUser() : options.home);
    const places = { roots: folders.flatMap(({ given, real }) => [given, real]), homes };
    const rules = new Rules(options.allow ?? [], options.deny ?? [], places);
    // The real system decides: where tests imitate Windows on Linux, /proc is there too.
    const hasProc = options.hasProc ?? process.platform === "linux";
    return new Roots(folders, homes, rules, options.mayBrowse ?? true, hasProc);
  }

  /**
   * Keeps a whole folder at home from now on, whatever the rules say.
   * @throws Error when it does not exist
   */
  async withhold(path: string): Promise<void> {
    this.#withheld.push(await Folder.open(path));
  }

  /**
   * Opens a file for reading. A relative path is tried in each root in order; the first root that has it
   * decides, even if it refuses.
   * @param filePath as an operator asked for it
   * @throws FdsError `access_denied` for paths outside the roots, whether they exist or not, and for files
   *   that the rules or the system do not let out; `file_not_found`, `not_a_regular_file` or
   *   `file_unreadable` for paths inside
   */
  async openFile(filePath: string): Promise<SourceFile> {
    return (await this.pathCheck()).open(filePath);
  }

  /** Locates the roots, for one request. */
  async pathCheck(): Promise<PathCheck> {
    const { homes, rules, mayBrowse, hasProc } = this;
    const roots = await Promise.all(this.folders.map((folder) => this.#locate(folder)));
    const away = await Promise.all(this.#withheld.map((folder) => this.#locate(folder)));
    const withheld = [...this.#withheld, ...away].map(({ real }) => real);
    return new PathCheck({ roots, homes, withheld, rules, mayBrowse, hasProc });
  }

  /**
   * Locates a root. Somebody who can write in another root decides what lies there, but must not decide
   * where this root is.
   */
  #locate(folder: Folder) {
    return folder.locate((link) =>
      this.folders.some((other) => other !== folder && other.holds(link)),
    );
  }
}

/** @returns null for a user without a home, as in a container that runs as a number */
function homeOfUser(): string | null {
  try {
    return homedir();
  } catch (error) {
    if (systemCode(error) === null) throw error;
    return null;
  }
}

/** The paths by which a folder is known. */
async function namesOf(folder: string | null): Promise<string[]> {
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
