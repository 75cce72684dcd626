import type { Change } from "./change.ts";

export const signInCodes: readonly Change[] = [
  // Codes of sign-in links. Each code works once, at any server.
  `CREATE TABLE sign_in_codes (
    code_hash TEXT PRIMARY KEY,
    maker TEXT NOT NULL,
    token_hash TEXT,
    session_hash TEXT,
    expires_at BIGINT NOT NULL
  )`,
  `CREATE INDEX sign_in_codes_by_maker ON sign_in_codes (maker, expires_at)`,
  `CREATE INDEX sign_in_codes_by_expiry ON sign_in_codes (expires_at)`,
  // Requests to list a folder of a client. The server to which the client is connected answers them.
  {
    postgres: `CREATE TABLE listing_requests (
      request_id TEXT PRIMARY KEY,
      client_id TEXT NOT NULL,
      listing_order TEXT NOT NULL,
      asked_at BIGINT NOT NULL,
      answered_by TEXT,
      answer TEXT
    )`,
  },
];
