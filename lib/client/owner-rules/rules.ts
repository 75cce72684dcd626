/*
 * What of its roots a site's owner lets leave: patterns that come from the site alone, by flags or
 * the environment. Nothing that a server says can widen them.
 */

/** Names of files that hold keys or passwords; whoever wants one to leave has to name it. */
const KEY_FILES = [
  "*.{pem,key,p8,p12,pfx,ppk,jks,keystore,kdb,kdbx,ovpn,gpg}",
  "id_{rsa,dsa,ecdsa,ed25519}*",
  "{credentials,secrets}{,.*}",
  "wallet.dat",
].map((pattern) => new Bun.Glob(pattern));

/** A pattern as it was given, ready to be matched. */
interface Pattern {
  glob: Bun.Glob;
  namesHidden: boolean;
  namesKeys: boolean;
}

/**
 * Which files may leave. A pattern is a glob over the path within a root, with forward slashes;
 * one without a slash matches at any depth, and one that matches a folder matches all in it.
 */
export class Rules {
  readonly #allowed: Pattern[];
  readonly #denied: Bun.Glob[];

  /**
   * @param allow what may leave; none: everything
   * @param deny what may not leave, whatever `allow` says
   */
  constructor(allow: string[], deny: string[]) {
    this.#allowed = allow.map((text) => ({
      glob: globOf(text),
      namesHidden: isHidden(text),
      namesKeys: isKeyFile(text),
    }));
    // Compared without regard to case, as a file system that is so would find it under any.
    this.#denied = deny.map((text) => globOf(fold(text)));
  }

  /**
   * Hidden files (a name on the way begins with a dot) and key files may leave only where an
   * allowed pattern is about such files itself: `--allow .env` is, `--allow "**"` is not.
   * @param paths the file's path within each root that it lies in, with forward slashes
   */
  permits(paths: string[]): boolean {
    if (paths.some((path) => this.#denied.some((glob) => matches(glob, fold(path))))) return false;
    return paths.some((path) => this.#isAllowed(path));
  }

  #isAllowed(path: string): boolean {
    const hidden = isHidden(path);
    const keys = isKeyFile(path);
    if (this.#allowed.length === 0) return !hidden && !keys;
    return this.#allowed.some(
      ({ glob, namesHidden, namesKeys }) =>
        (namesHidden || !hidden) && (namesKeys || !keys) && matches(glob, path),
    );
  }
}

function globOf(text: string): Bun.Glob {
  const pattern = text.replace(/^\/+|\/+$/g, "");
  return new Bun.Glob(pattern.includes("/") ? pattern : `**/${pattern}`);
}

/** Whether it matches the path or a folder on the way to it. */
function matches(glob: Bun.Glob, path: string): boolean {
  const steps = path.split("/");
  return steps.some((_, index) => glob.match(steps.slice(0, index + 1).join("/")));
}

function isHidden(path: string): boolean {
  return path.split("/").some((step) => step.startsWith("."));
}

function isKeyFile(path: string): boolean {
  const steps = fold(path).split("/");
  return steps.some((step) => KEY_FILES.some((glob) => glob.match(step)));
}

/** One spelling of what some file systems take for the same name. */
function fold(text: string): string {
  return text.normalize("NFC").toLowerCase();
}
