import type { Change } from "./change.ts";

export const sessionOrigins: readonly Change[] = [
  // Before this version, sessions referred to a token by its name. Now they refer to its hash, as the name of
  // an ended token may be used again.
  `DELETE FROM sessions WHERE token_name NOT IN (SELECT name FROM api_tokens)`,
  `ALTER TABLE sessions ADD COLUMN token_hash TEXT`,
  `UPDATE sessions SET token_hash = (SELECT token_hash FROM api_tokens WHERE name = token_name)`,
  `ALTER TABLE sessions DROP COLUMN token_name`,
  `ALTER TABLE sessions ADD COLUMN begun_with TEXT`,
  `CREATE INDEX sessions_by_origin ON sessions (begun_with) WHERE begun_with IS NOT NULL`,
];
