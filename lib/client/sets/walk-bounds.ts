import { FdsError } from "../../protocol/errors.ts";

/** Most names that one walk looks at before it is given up as endless. */
const MAX_NAMES = 2_000_000;
/** Longest time of one walk, in ms. */
const MAX_WALK_MS = 600_000;

/** Ends a walk that has no end. */
export class WalkBounds {
  #names = 0;
  readonly #endsAt = performance.now() + MAX_WALK_MS;

  /** How many names were looked at. */
  get names(): number {
    return this.#names;
  }

  /** @param names more that were looked at @throws FdsError `too_many_files` */
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

/** @param names how many, in words */
export function tooMany(names: string): FdsError {
  const message = `there are ${names} names to look at, name fewer folders`;
  return new FdsError("too_many_files", message);
}
