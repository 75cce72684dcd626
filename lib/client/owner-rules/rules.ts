import { isNameOnWindows } from "../../util/safe-file-name.ts";
import { isKeyName } from "./key-files.ts";
import { type Places, readPatterns } from "./patterns.ts";

/*
 * What of its roots a site's owner lets leave: patterns that come from the site alone, by flags or
 * the environment. Nothing that a server says can widen them.
 */

/** A pattern of what may leave. */
interface Allowed {
  globs: Globs;
  namesHidden: boolean;
  namesKeys: boolean;
}

/** Globs of a pattern, and of all that lies in a folder that it matches. */
type Globs = readonly [Bun.Glob, Bun.Glob];

/**
 * Which files may leave. A pattern is a glob over the path within a root, with forward slashes;
 * one without a slash matches at any depth, and one that matches a folder matches all in it.
 */
export class Rules {
  readonly #allowed: Allowed[];
  readonly #denied: Globs[];

  /**
   * @param allow what may leave; none: everything
   * @param deny what may not leave, whatever `allow` says
   * @param places what patterns may name beside paths within a root
   * @param isWindows where a name is the same in any case, and some are not what they seem
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
    // Compared without regard to case, as a file system that is so would find it under any; and a
    // name at any depth however it was spelled. Rather too much stays than too little.
    this.#denied = readPatterns("--deny or CLIENT_DENY", deny, places).map(({ text }) =>
      globsOf(fold(text), !text.includes("/")),
    );
  }

  /**
   * Hidden files (a name on the way begins with a dot) and key files may leave only where an
   * allowed pattern is about such files itself: `--allow .env` is, `--allow "**"` is not.
   * @param paths the file's path within each root that it lies in, with forward slashes
   */
  permits(paths: string[]): boolean {
    if (!this.#areNames(paths)) return false;
    const folded = paths.map(fold);
    if (folded.some((path) => this.#denied.some((globs) => matches(globs, path)))) return false;
    return paths.some((path) => this.#isAllowed(path));
  }

  /**
   * Whether a folder may be looked into: it is not denied, and not hidden, or named by an allowed
   * pattern. What `allow` names is asked for each file.
   * @param paths the folder's path within each root that it lies in; "" for a root itself
   */
  mayEnter(paths: string[]): boolean {
    if (!this.#areNames(paths)) return false;
    if (paths.some((path) => this.#denied.some((glob) => matches(glob, fold(path))))) return false;
    return paths.some(
      (path) => path === "" || (!isHidden(path) && !isKeyFile(path)) || this.#isAllowed(path),
    );
  }

  /** Whether each name on the way is that of one thing, and of no other that a rule is about. */
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

/** Folds a name: names that some file systems take for the same become equal. */
function fold(text: string): string {
  return text.normalize("NFC").toLowerCase();
}
