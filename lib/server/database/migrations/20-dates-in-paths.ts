import type { Change } from "./change.ts";

export const datesInPaths: readonly Change[] = [
  // Local time at the client, for dates in the paths of a download.
  `ALTER TABLE downloads ADD COLUMN local_time TEXT`,
];
