import { withoutDates } from "../util/path-dates.ts";

/*
 * Turns what people type into a request for a file or a set, in the same way in the dashboard and on the
 * command line.
 */

/**
 * Characters with a special meaning in patterns. A `]` is missing, because it is special only after a `[`.
 */
const SPECIAL = /[\\*?[{}]/g;

/**
 * Reports whether a typed word stands for a set, because it has pattern characters or ends with `/`. Any
 * other word is the path of a file, which may contain placeholders for dates.
 */
export function asksForSet(word: string): boolean {
  return /[*?[{]|\/$/.test(withoutDates(word));
}

/** Returns a pattern that matches exactly this path, by escaping its special characters. */
export function literalPattern(path: string): string {
  return path.replace(SPECIAL, "\\$&");
}
