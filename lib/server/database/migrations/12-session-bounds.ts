import type { Change } from "./change.ts";

export const sessionBounds: readonly Change[] = [
  // When a session began. The number of sessions of a token is limited, and the oldest ones are removed.
  `ALTER TABLE sessions ADD COLUMN begun_at BIGINT NOT NULL DEFAULT 0`,
  `CREATE INDEX sessions_by_token ON sessions (token_hash, begun_at DESC, session_hash)`,
  `CREATE INDEX sessions_by_end ON sessions (expires_at)`,
];
