import { isNameOnWindows } from "../../util/safe-file-name.ts";
import { isKeyName } from "./key-files.ts";
import { type Places, readPatterns } from "./patterns.ts";

/*
 * Which files in its roots a site's owner lets leave: patterns that only the site can set, by flags or the
 * environment. Nothing that a server says can widen them.
 */

/** A pattern of what may leave. */
interface Allowed {
  globs: Globs;
  namesHidden: boolean;
  namesKeys: boolean;
}

/** Globs of a pattern: for itself, and for everything inside a folder that it matches. */
type Globs = readonly [Bun.Glob, Bun.Glob];

/**
 * Which files may leave. A pattern is a glob over the path within a root, with forward slashes;
 * one without a slash matches at any depth, and one that matches a folder matches all in it.
 */
export class Rules {
  readonly #allowed: Allowed[];
  readonly #denied: Globs[];

  /**
   * @param allow what may leave; empty: everything
   * @param deny what may not leave, whatever `allow` says
   * @param places what patterns may name besides paths within a root
   * @param isWindows whether names ignore case, and some names are not what they seem
   * @throws UsageError that names a pattern that can match nothing
   */
  constructor(
    allow: string[],
    deny: string[],
    places: Places = { roots: [], homes: [] },
    private readonly isWindows = process.platform === "win32",
  ) {
    this.#allowed = readPatterns("--allow or CLIENT_ALLOW", allow, places).map((pattern) => ({
      globs: globsOf(isWindows ? fold(pattern.text) : pattern.text, !pattern.isAnchored),
      namesHidden: isHidden(pattern.text),
      namesKeys: isKeyFile(pattern.text),
    }));
    // Denied names are compared without case and in every spelling, as a file system that ignores case
    // would find them. Rather too much stays than too little.
    this.#denied = readPatterns("--deny or CLIENT_DENY", deny, places).map(({ text }) =>
      globsOf(fold(text), !text.includes("/")),
    );
  }

  /**
   * Hidden files (a name on the way begins with a dot) and key files may leave only if an allowed pattern
   * is about such files itself: `--allow .env` is, `--allow "**"` is not.
   * @param paths the file's path within each root that contains it, with forward slashes
   */
  permits(paths: string[]): boolean {
    if (!this.#areNames(paths)) return false;
    const folded = paths.map(fold);
    if (folded.some((path) => this.#denied.some((globs) => matches(globs, path)))) return false;
    return paths.some((path) => this.#isAllowed(path));
  }

  /**
   * Whether a folder may be opened: it is not denied, and it is not hidden, or an allowed pattern names it.
   * `allow` is checked for each file in it.
   * @param paths the folder's path within each root that contains it; "" for a root itself
   */
  mayEnter(paths: string[]): boolean {
    if (!this.#areNames(paths)) return false;
    if (paths.some((path) => this.#denied.some((glob) => matches(glob, fold(path))))) return false;
    return paths.some(
      (path) => path === "" || (!isHidden(path) && !isKeyFile(path)) || this.#isAllowed(path),
    );
  }

  /** Whether each name on the way stands for exactly one file on this system. */
  #areNames(paths: string[]): boolean {
    return !this.isWindows || paths.every((path) => path.split("/").every(isNameOnWindows));
  }

  #isAllowed(path: string): boolean {
    const asked = this.isWindows ? fold(path) : path;
    const hidden = isHidden(path);
    const keys = isKeyFile(path);
    if (this.#allowed.length === 0) return !hidden && !keys;
    return this.#allowed.some(
      ({ globs, namesHidden, namesKeys }) =>
        (namesHidden || !hidden) && (namesKeys || !keys) && matches(globs, asked),
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

/** Folds a name, so that names become equal that some file systems take for the same. */
function fold(text: string): string {
  return text.normalize("NFC").toLowerCase();
}
