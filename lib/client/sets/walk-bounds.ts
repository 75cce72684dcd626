import { FdsError } from "../../protocol/errors.ts";

/** Maximum number of names that one walk through folders examines before it gives up. */
const MAX_NAMES = 2_000_000;
/** Longest time of one walk, in ms. */
const MAX_WALK_MS = 600_000;

/** Ends a walk through folders that examines too many names or takes too long. */
export class WalkBounds {
  #names = 0;
  readonly #endsAt = performance.now() + MAX_WALK_MS;

  /** The number of names examined so far. */
  get names(): number {
    return this.#names;
  }

  /**
   * Counts examined names.
   * @param names number of further names
   * @throws FdsError `too_many_files` if the walk has examined too many names, or has taken too long
   */
  count(names: number): void {
    this.#names += names;
    if (this.#names > MAX_NAMES) throw tooMany(`over ${MAX_NAMES}`);
    if (performance.now() > this.#endsAt) {
      const minutes = MAX_WALK_MS / 60_000;
      throw new FdsError(
        "too_many_files",
        `the folders were not gone through in ${minutes} minutes, name fewer`,
      );
    }
  }
}

/** Returns the error for a walk with too many names. @param names how many there are, in words */
export function tooMany(names: string): FdsError {
  const message = `there are ${names} names to look at, name fewer folders`;
  return new FdsError("too_many_files", message);
}
