import type { Change } from "./change.ts";

export const datesInPaths: readonly Change[] = [
  // The local time at the client that dates in the download's paths stand for.
  `ALTER TABLE downloads ADD COLUMN local_time TEXT`,
];
