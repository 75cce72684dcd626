import { withoutDates } from "../util/path-dates.ts";

/*
 * Turns what a person types into a request for a file or a set, the same on the page and on the command
 * line.
 */

/** Characters with a meaning in patterns. A single `]` is plain. */
const SPECIAL = /[\\*?[{}]/g;

/**
 * Whether a word asks for a set: it contains characters of a pattern, or ends in `/`. Otherwise it is the
 * path of a file, possibly with dates.
 */
export function asksForSet(word: string): boolean {
  return /[*?[{]|\/$/.test(withoutDates(word));
}

/** A pattern that matches exactly one path, whatever characters that has. */
export function literalPattern(path: string): string {
  return path.replace(SPECIAL, "\\$&");
}
