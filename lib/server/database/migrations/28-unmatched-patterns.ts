import type { Change } from "./change.ts";

/** Adds the list of a set's patterns that no file matches. */
export const unmatchedPatterns: readonly Change[] = [
  `ALTER TABLE downloads ADD COLUMN unmatched TEXT`,
];
