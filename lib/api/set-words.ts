import { withoutDates } from "../util/path-dates.ts";

/* How a person's word for what to pull becomes a request: on the page and on the command line alike. */

/** Characters that mean something in a pattern. A `]` or `}` alone is itself. */
const SPECIAL = /[\\*?[{]/g;

/**
 * Whether a word asks for a set: it has a pattern's characters, or ends in `/`. Else it is a file, whose
 * path may have dates.
 */
export function asksForSet(word: string): boolean {
  return /[*?[{]|\/$/.test(withoutDates(word));
}

/** The pattern that names one path alone, whatever characters it has. */
export function literalPattern(path: string): string {
  return path.replace(SPECIAL, "\\$&");
}
