import { lstat, realpath } from "node:fs/promises";
import { basename, join, parse, resolve } from "node:path";
import { Refusal } from "./refusal.ts";
import { contains, stepsOf, walk } from "./paths.ts";

/** A folder by the path it was given as, and by its real one. */
export interface Place {
  given: string;
  real: string;
}

/** A name in the path that a folder was given as. */
interface Step {
  name: string;
  isLink: boolean;
}

/**
 * A folder that the site's owner named. Links in the name are the owner's too: where one of them is
 * moved, the folder is where it leads to now. What was no link when the client started is none that
 * is followed: whoever can write in the folder above could have put it there.
 */
export class Folder implements Place {
  private last: string;

  private constructor(
    readonly given: string,
    /** Where it was when the client started. */
    readonly real: string,
    /** The real path of what lies before the first link. */
    private readonly fixed: string,
    private readonly steps: Step[],
  ) {
    this.last = real;
  }

  /** @throws an error of the system when it is not there */
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
   * Where it is now. A link that leads nowhere stands for itself.
   * @param isOthers whether others than the owner may have put a link at a place: the folder is
   *   where it was, then
   */
  async locate(isOthers: (path: string) => boolean): Promise<Place> {
    const onLink = (path: string) => {
      if (isOthers(path)) throw new Refusal("outside");
    };
    const { given } = this;
    let real = this.fixed;
    for (const { name, isLink } of this.steps) {
      real = join(real, name);
      if (!isLink) continue;
      try {
        real = await walk(real, { isKnown: () => false, onLink });
        // On other systems, several spellings of a name are one file.
        if (process.platform !== "linux") real = await realpath(real);
      } catch (error) {
        if (error instanceof Refusal && error.code === "outside") return this;
      }
    }
    this.last = real;
    return { given, real };
  }

  /** Whether a path lies in it, where it was at first or when it was last located. */
  holds(path: string): boolean {
    return [this.real, this.last].some((place) => contains(place, path));
  }
}
