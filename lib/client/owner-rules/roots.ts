import { constants } from "node:fs";
import { access, lstat, open, readlink, realpath, stat, type FileHandle } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join, parse, relative, resolve, sep } from "node:path";
import { UsageError } from "../../util/flags.ts";
import { explain, Refusal } from "./refusal.ts";
import { Rules } from "./rules.ts";
import { type SourceFile, sourceFileOf } from "./source-file.ts";

export interface RootsOptions {
  /** What of the roots may leave. */
  rules?: Rules;
  /** What `~` and `$HOME` stand for. */
  home?: string;
  /** Whether `/proc/self/fd` tells where an open file lies, as it does on Linux. */
  hasProc?: boolean;
}

/** A folder by the path it was given as, and by its real one. */
interface Root {
  given: string;
  real: string;
}

/** Most links on the way to one file, as on Linux. */
const MAX_LINKS = 40;

/** A non-blocking open cannot hang on a FIFO that took the file's place; Windows lacks both. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * The folders that a client is willing to serve: the check that keeps /etc/passwd at home.
 *
 * Links are followed by hand, and the first step out of the roots is refused without a look at
 * what is there, so no answer tells anything of the rest of the machine. As links can change
 * between a look and the open, where the open file lies is checked once more.
 */
export class Roots {
  readonly #withheld: string[] = [];

  private constructor(
    private readonly roots: Root[],
    private readonly homes: string[],
    private readonly rules: Rules,
    private readonly hasProc: boolean,
  ) {}

  /**
   * @param paths folders, absolute or relative to the working directory
   * @throws UsageError when there is none, or one is not a folder that can be read
   */
  static async open(paths: string[], options: RootsOptions = {}): Promise<Roots> {
    if (paths.length === 0) throw new UsageError("no folder to serve, pass --root FOLDER");
    const roots = await Promise.all(paths.map(openRoot));
    const home = resolve(options.home ?? homedir());
    const realHome = await realpath(home).catch(() => home);
    const rules = options.rules ?? new Rules([], []);
    const hasProc = options.hasProc ?? (await isThere("/proc/self/fd"));
    return new Roots(roots, [home, realHome], rules, hasProc);
  }

  /**
   * From now on nothing of this folder leaves, whatever the rules say.
   * @throws Error when it is not there
   */
  async withhold(folder: string): Promise<void> {
    this.#withheld.push(await realpath(folder));
  }

  /**
   * Opens a file for reading. A relative path is tried in each root in order; the first that has
   * it gives the answer, even where that is a refusal.
   * @param filePath as an operator asked for it
   * @throws FdsError `access_denied` for whatever is outside the roots, there or not, and for what
   *   the rules or the system do not let out; `file_not_found`, `not_a_regular_file` or
   *   `file_unreadable` for what is inside
   */
  async openFile(filePath: string): Promise<SourceFile> {
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

  /** The absolute paths that an asked one can mean, their `..` taken out. */
  #candidates(filePath: string): string[] {
    if (filePath.includes("\0")) return [];
    for (const name of ["~", "$HOME"]) {
      if (!filePath.startsWith(name) || !["/", sep].includes(filePath.charAt(name.length)))
        continue;
      const rest = filePath.slice(name.length + 1);
      return this.homes
        .map((home) => this.#respell(join(home, rest)))
        .filter((path) => this.#isInside(path));
    }
    if (isAbsolute(filePath)) return [this.#respell(resolve(filePath))];
    return this.roots.map((root) => resolve(root.real, filePath));
  }

  async #openAt(path: string): Promise<SourceFile> {
    // Before the first look, so that no answer tells whether a denied file is there.
    if (this.#isInside(path) && !this.#isPermitted(path)) throw new Refusal("denied");
    const realPath = await this.#follow(path);
    // Before the open: opening a device can do something, and opening a FIFO waits.
    if (!(await lstat(realPath)).isFile()) throw new Refusal("not_regular");
    const handle = await open(realPath, OPEN_FLAGS);
    try {
      // Of a file that was deleted meanwhile, /proc gives the name with a word behind it.
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
   * Walks to a path's real one, as the system would, without a step outside. The folders above
   * the roots are known to be real folders, so a link may lead through them and back.
   */
  async #follow(path: string): Promise<string> {
    let current = parse(path).root;
    let links = 0;
    const steps = stepsOf(path);
    for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
      const next = join(current, step);
      if (this.#isAbove(next)) {
        current = next;
        continue;
      }
      if (!this.#isInside(next)) throw new Refusal("outside");
      if (!(await lstat(next)).isSymbolicLink()) {
        current = next;
        continue;
      }
      if (++links > MAX_LINKS) throw new Refusal("missing");
      const target = this.#respell(await readlink(next));
      if (isAbsolute(target)) current = parse(target).root;
      steps.unshift(...stepsOf(target));
    }
    if (!this.#isInside(current)) throw new Refusal("outside");
    return current;
  }

  /** Where an open file lies, which no later change of a link can alter. */
  async #locationOf(handle: FileHandle, path: string): Promise<string> {
    if (this.hasProc) return readlink(`/proc/self/fd/${handle.fd}`);
    const location = await realpath(path);
    const found = await stat(location, { bigint: true });
    const opened = await handle.stat({ bigint: true });
    if (found.ino !== opened.ino || found.dev !== opened.dev) throw new Refusal("changed");
    return location;
  }

  /** A path below a root as it was given, by the root's real path; any other as it is. */
  #respell(path: string): string {
    const root = this.roots.find(({ given }) => path === given || path.startsWith(given + sep));
    return root === undefined ? path : root.real + path.slice(root.given.length);
  }

  #isPermitted(path: string): boolean {
    if (this.#withheld.some((folder) => contains(folder, path))) return false;
    const within = this.roots
      .filter(({ real }) => contains(real, path))
      .map(({ real }) => relative(real, path).replaceAll(sep, "/"));
    return this.rules.permits(within);
  }

  #isInside(path: string): boolean {
    return this.roots.some((root) => contains(root.real, path));
  }

  #isAbove(path: string): boolean {
    return this.roots.some((root) => contains(path, root.real));
  }
}

async function openRoot(path: string): Promise<Root> {
  try {
    const given = resolve(path);
    const real = await realpath(given);
    if (!(await stat(real)).isDirectory()) throw new Error("it is no folder");
    await access(real, constants.R_OK | constants.X_OK);
    return { given, real };
  } catch (cause) {
    throw new UsageError(
      `cannot serve "${path}", pass folders that are there and can be read with --root or CLIENT_ROOTS`,
      { cause },
    );
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function contains(folder: string, path: string): boolean {
  const rest = relative(folder, path);
  return rest !== ".." && !rest.startsWith(`..${sep}`) && !isAbsolute(rest);
}

/** The names on the way; a backslash parts them on Windows only. */
function stepsOf(path: string): string[] {
  return path
    .slice(parse(path).root.length)
    .split(sep === "\\" ? /[\\/]/ : sep)
    .filter((step) => step !== "" && step !== ".");
}
