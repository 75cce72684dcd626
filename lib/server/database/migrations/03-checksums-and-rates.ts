import type { Change } from "./change.ts";

export const checksumsAndRates: readonly Change[] = [
  `ALTER TABLE downloads RENAME COLUMN md5 TO digest`,
  `ALTER TABLE downloads ADD COLUMN checksum TEXT NOT NULL DEFAULT 'md5'`,
  `ALTER TABLE downloads ADD COLUMN rate_limit BIGINT`,
];
