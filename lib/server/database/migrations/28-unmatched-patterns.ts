import type { Change } from "./change.ts";

/** Patterns of a set that no file matches. */
export const unmatchedPatterns: readonly Change[] = [
  `ALTER TABLE downloads ADD COLUMN unmatched TEXT`,
];
