import { lstat, realpath } from "node:fs/promises";
import { basename, join, parse, resolve } from "node:path";
import { Refusal } from "./refusal.ts";
import { contains, stepsOf, walk } from "./paths.ts";

/** A folder: the path that was given, and its real one. */
export interface Place {
  given: string;
  real: string;
}

/** A name in the path that was given. */
interface Step {
  name: string;
  isLink: boolean;
}

/**
 * A folder that the site's owner named. The owner's path may contain links, and where one of them is moved,
 * the folder moves with it. A name that was no link when the client started is never followed as one:
 * anybody who can write in the folder above could have put it there.
 */
export class Folder implements Place {
  private last: string;

  private constructor(
    readonly given: string,
    /** The real path when the client started. */
    readonly real: string,
    /** The real path of the part before the first link. */
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
   * The place of the folder now. A broken link stands for itself.
   * @param isOthers whether others than the owner may have put a link at a place; then the folder stays
   *   where it was
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
        // On other systems, one file can have several spellings of its name.
        if (process.platform !== "linux") real = await realpath(real);
      } catch (error) {
        if (error instanceof Refusal && error.code === "outside") return this;
      }
    }
    this.last = real;
    return { given, real };
  }

  /** Whether a path lies in the folder, where it was at first or when it was last located. */
  holds(path: string): boolean {
    return [this.real, this.last].some((place) => contains(place, path));
  }
}
