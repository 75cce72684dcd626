import { lstat, realpath } from "node:fs/promises";
import { basename, join, parse, resolve } from "node:path";
import { Refusal } from "./refusal.ts";
import { contains, stepsOf, resolveLinks } from "./paths.ts";

/** A folder: the path that the site's owner gave, and its real path without links. */
export interface FolderPaths {
  given: string;
  real: string;
}

/**
 * A name in a path that the site's owner gave, and whether it was a symbolic link when the client started.
 */
interface Step {
  name: string;
  isLink: boolean;
}

/**
 * A folder that the site's owner named by a path. Symbolic links that were in this path when the client
 * started are followed again at each look-up, so a changed link leads to the folder's new place. If another
 * component of the path is later replaced by a link, this link is not followed, because anybody who can write
 * to the component's parent folder could have made it.
 */
export class Folder implements FolderPaths {
  private lastLocated: string;

  private constructor(
    readonly given: string,
    /** The folder's real path when the client started. */
    readonly real: string,
    /** The real path of the part of `given` before its first symbolic link. */
    private readonly fixed: string,
    private readonly steps: Step[],
  ) {
    this.lastLocated = real;
  }

  /** Opens a folder by its path. @throws an error of the system if the folder does not exist */
  static async open(path: string): Promise<Folder> {
    const given = resolve(path);
    let fixed = parse(given).root;
    let real = fixed;
    const steps: Step[] = [];
    for (const name of stepsOf(given)) {
      const next = join(real, name);
      const isLink = (await lstat(next)).isSymbolicLink();
      real = await realpath(next);
      if (steps.length === 0 && !isLink) fixed = real;
      else steps.push({ name: isLink ? name : basename(real), isLink });
    }
    return new Folder(given, real, fixed, steps);
  }

  /**
   * Returns the real path of the folder at present. A link that cannot be resolved, such as a broken one,
   * stays in the path as it is. If somebody other than the site's owner could have made one of the links,
   * returns the folder's real path at the client's start.
   * @param isWritableByOthers reports whether somebody other than the owner could have made a link at this
   *   path
   */
  async locate(isWritableByOthers: (path: string) => boolean): Promise<FolderPaths> {
    const onLink = (path: string) => {
      if (isWritableByOthers(path)) throw new Refusal("outside");
    };
    const { given } = this;
    let real = this.fixed;
    for (const { name, isLink } of this.steps) {
      real = join(real, name);
      if (!isLink) continue;
      try {
        real = await resolveLinks(real, { isKnownFolder: () => false, onLink });
        // Other systems than Linux can have several spellings of one file's name. realpath() returns the
        // canonical one.
        if (process.platform !== "linux") real = await realpath(real);
      } catch (error) {
        if (error instanceof Refusal && error.code === "outside") return this;
      }
    }
    this.lastLocated = real;
    return { given, real };
  }

  /**
   * Reports whether a path is in the folder. Checks the place where the folder was when the client started,
   * and the place where it was found last.
   */
  holds(path: string): boolean {
    return [this.real, this.lastLocated].some((place) => contains(place, path));
  }
}
