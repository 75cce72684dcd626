import { isNameOnWindows } from "../../util/safe-file-name.ts";
import { isKeyName } from "./key-files.ts";
import { type BaseFolders, readPatterns } from "./patterns.ts";

/*
 * The site owner's rules on which files in the roots may leave. Only the site can set them, by flags, its
 * settings file or the environment. A server cannot extend them.
 */

/** An allowed pattern, and whether it explicitly names hidden files or key files. */
interface AllowedPattern {
  globs: Globs;
  allowsHidden: boolean;
  allowsKeys: boolean;
}

/**
 * Two globs for one pattern: one for the matching names themselves, one for everything inside a matching
 * folder.
 */
type Globs = readonly [Bun.Glob, Bun.Glob];

/**
 * Decides which files may leave the site. Each pattern is a glob over the path within a root, with forward
 * slashes. A pattern without a slash matches at any depth, and a pattern that matches a folder matches
 * everything inside.
 */
export class Rules {
  readonly #allowed: AllowedPattern[];
  readonly #denied: Globs[];

  /**
   * @param allow patterns of files that may leave; if empty, all files may, except hidden files and key files
   * @param deny patterns of files that may not leave, whatever `allow` says
   * @param baseFolders absolute paths that patterns may begin with
   * @param isWindows whether to ignore case, and to refuse names that Windows resolves to other files
   * @throws UsageError for a pattern that cannot match anything
   */
  constructor(
    allow: string[],
    deny: string[],
    baseFolders: BaseFolders = { roots: [], homes: [] },
    private readonly isWindows = process.platform === "win32",
  ) {
    this.#allowed = readPatterns("--allow or CLIENT_ALLOW", allow, baseFolders).map((pattern) => ({
      globs: globsOf(isWindows ? fold(pattern.text) : pattern.text, !pattern.isAnchored),
      allowsHidden: isHidden(pattern.text),
      allowsKeys: isKeyFile(pattern.text),
    }));
    // Denied patterns ignore case on all systems, because the file system may ignore case. At worst, too many
    // files are kept back.
    this.#denied = readPatterns("--deny or CLIENT_DENY", deny, baseFolders).map(({ text }) =>
      globsOf(fold(text), !text.includes("/")),
    );
  }

  /**
   * Reports whether a file may leave. A hidden file, or a file in a hidden folder, may leave only if an
   * allowed pattern itself names something hidden: `--allow .env` does, `--allow "**"` does not. The same
   * holds for key files.
   * @param paths the file's path within each root that contains it, with forward slashes
   */
  permits(paths: string[]): boolean {
    if (!this.#areUnambiguous(paths)) return false;
    const folded = paths.map(fold);
    if (folded.some((path) => this.#denied.some((globs) => matches(globs, path)))) return false;
    return paths.some((path) => this.#isAllowed(path));
  }

  /**
   * Reports whether a folder may be opened. A hidden folder or key folder needs an allowed pattern that names
   * the folder. Other folders need none, because each file inside is checked.
   * @param paths the folder's path within each root that contains it; "" for a root itself
   */
  mayEnter(paths: string[]): boolean {
    if (!this.#areUnambiguous(paths)) return false;
    if (paths.some((path) => this.#denied.some((glob) => matches(glob, fold(path))))) return false;
    return paths.some(
      (path) => path === "" || (!isHidden(path) && !isKeyFile(path)) || this.#isAllowed(path),
    );
  }

  /**
   * Reports whether each name in the paths stands for exactly one file. On Windows, some names are aliases.
   */
  #areUnambiguous(paths: string[]): boolean {
    return !this.isWindows || paths.every((path) => path.split("/").every(isNameOnWindows));
  }

  #isAllowed(path: string): boolean {
    const comparablePath = this.isWindows ? fold(path) : path;
    const isPathHidden = isHidden(path);
    const isKey = isKeyFile(path);
    if (this.#allowed.length === 0) return !isPathHidden && !isKey;
    return this.#allowed.some(
      ({ globs, allowsHidden, allowsKeys }) =>
        (allowsHidden || !isPathHidden) && (allowsKeys || !isKey) && matches(globs, comparablePath),
    );
  }
}

function globsOf(pattern: string, anyDepth: boolean): Globs {
  const glob = anyDepth ? `**/${pattern}` : pattern;
  return [new Bun.Glob(glob), new Bun.Glob(`${glob}/**`)];
}

function matches([itself, below]: Globs, path: string): boolean {
  return itself.match(path) || below.match(path);
}

function isHidden(path: string): boolean {
  return path.split("/").some((step) => step.startsWith("."));
}

function isKeyFile(path: string): boolean {
  return fold(path).split("/").some(isKeyName);
}

/** Normalizes a name: names that some file systems treat as the same file become equal. */
function fold(text: string): string {
  return text.normalize("NFC").toLowerCase();
}
