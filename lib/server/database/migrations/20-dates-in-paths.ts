import type { Change } from "./change.ts";

export const datesInPaths: readonly Change[] = [
  // Local time at the client, for the dates in a download's paths.
  `ALTER TABLE downloads ADD COLUMN local_time TEXT`,
];
