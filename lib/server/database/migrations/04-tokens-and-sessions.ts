import type { Change } from "./change.ts";

export const tokensAndSessions: readonly Change[] = [
  `CREATE TABLE api_tokens (
    name TEXT PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    sites TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT
  )`,
  `CREATE TABLE sessions (
    session_hash TEXT PRIMARY KEY,
    token_name TEXT,
    expires_at BIGINT NOT NULL
  )`,
];
