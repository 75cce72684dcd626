import type { SQL } from "bun";
import type { AccessRows, ApiToken, SessionRow } from "../access/rows.ts";
import { numberOrNull } from "./rows.ts";

/** A token as a row: its sites are JSON. */
interface TokenRow extends Omit<ApiToken, "sites"> {
  sites: string | null;
}

/** Who may do what, in the same database as the downloads. */
export class AccessSql implements AccessRows {
  constructor(private readonly sql: SQL) {}

  async insertToken(token: ApiToken): Promise<boolean> {
    const row: TokenRow = { ...token, sites: token.sites && JSON.stringify(token.sites) };
    const written = await this.sql`
      INSERT INTO api_tokens ${this.sql(row)} ON CONFLICT (name) DO NOTHING RETURNING name`;
    return written.length > 0;
  }

  async listTokens(): Promise<ApiToken[]> {
    const rows = await this.sql<TokenRow[]>`SELECT * FROM api_tokens ORDER BY name`;
    return rows.map(toToken);
  }

  async tokenByHash(tokenHash: string): Promise<ApiToken | null> {
    const [row] = await this.sql<TokenRow[]>`
      SELECT * FROM api_tokens WHERE token_hash = ${tokenHash}`;
    return row ? toToken(row) : null;
  }

  async tokenByName(name: string): Promise<ApiToken | null> {
    const [row] = await this.sql<TokenRow[]>`SELECT * FROM api_tokens WHERE name = ${name}`;
    return row ? toToken(row) : null;
  }

  async revokeToken(name: string, at: number): Promise<ApiToken | null> {
    const [row] = await this.sql<TokenRow[]>`
      UPDATE api_tokens SET revoked_at = COALESCE(revoked_at, ${at})
      WHERE name = ${name} RETURNING *`;
    return row ? toToken(row) : null;
  }

  async tokenUsed(name: string, at: number): Promise<void> {
    await this.sql`
      UPDATE api_tokens SET last_used_at = ${at}
      WHERE name = ${name} AND COALESCE(last_used_at, 0) < ${at}`;
  }

  async insertSession(session: SessionRow, now: number): Promise<void> {
    await this.sql`DELETE FROM sessions WHERE expires_at <= ${now}`;
    await this.sql`INSERT INTO sessions ${this.sql(session)}`;
  }

  async getSession(sessionHash: string): Promise<SessionRow | null> {
    const [row] = await this.sql<SessionRow[]>`
      SELECT * FROM sessions WHERE session_hash = ${sessionHash}`;
    return row ? { ...row, expiresAt: Number(row.expiresAt) } : null;
  }

  async deleteSession(sessionHash: string): Promise<void> {
    await this.sql`DELETE FROM sessions WHERE session_hash = ${sessionHash}`;
  }
}

function toToken(row: TokenRow): ApiToken {
  return {
    ...row,
    sites: row.sites === null ? null : (JSON.parse(row.sites) as string[]),
    createdAt: Number(row.createdAt),
    expiresAt: numberOrNull(row.expiresAt),
    revokedAt: numberOrNull(row.revokedAt),
    lastUsedAt: numberOrNull(row.lastUsedAt),
  };
}
