import type { Labels } from "../../api/labels.ts";
import type {
  AccessRows,
  ApiToken,
  EnrolmentKey,
  NamesPage,
  SessionRow,
  SignInCode,
} from "../access/rows.ts";
import type { SqlDatabase } from "./database.ts";
import { numberOrNull } from "./rows.ts";
import { assignments, insertion, sql, type Statement } from "./statement.ts";

/** A row of an API token. `sites` is a JSON array of client ids, or null, as in {@link ApiToken}. */
interface TokenRow extends Omit<ApiToken, "sites"> {
  sites: string | null;
}

/** A row of an enrolment key. `replaces` is 1 for true and 0 for false, and `labels` is JSON. */
interface EnrolmentKeyRow extends Omit<EnrolmentKey, "labels" | "replaces"> {
  labels: string;
  replaces: number;
}

/**
 * Limit on the sessions that one statement removes because they have expired or are too many. The same limit
 * holds for sign-in codes. Other callers wait while the statement runs. Later statements remove the rest.
 */
const MAX_REMOVED = 10;

/** Reads and writes the rows of API tokens, enrolment keys, sessions and sign-in codes. */
export class AccessSql implements AccessRows {
  constructor(private readonly database: SqlDatabase) {}

  async insertToken(token: ApiToken): Promise<boolean> {
    const row: TokenRow = { ...token, sites: token.sites && JSON.stringify(token.sites) };
    const written = await this.database.runDurably(sql`
      INSERT INTO api_tokens ${insertion(row)}
      ON CONFLICT (name) DO UPDATE SET ${assignments(row)}
        WHERE api_tokens.revoked_at IS NOT NULL OR api_tokens.expires_at <= ${token.createdAt}
      RETURNING name`);
    return written.length > 0;
  }

  async listTokens({ after = "", limit }: NamesPage): Promise<ApiToken[]> {
    const rows = await this.database.run<TokenRow>(sql`
      SELECT * FROM api_tokens WHERE name > ${after} ORDER BY name LIMIT ${limit}`);
    return rows.map(toToken);
  }

  async tokenByHash(tokenHash: string): Promise<ApiToken | null> {
    const [row] = await this.database.run<TokenRow>(sql`
      SELECT * FROM api_tokens WHERE token_hash = ${tokenHash}`);
    return row ? toToken(row) : null;
  }

  async revokeToken(name: string, at: number): Promise<ApiToken | null> {
    const [row] = await this.database.runDurably<TokenRow>(sql`
      UPDATE api_tokens SET revoked_at = COALESCE(revoked_at, ${at})
      WHERE name = ${name} RETURNING *`);
    return row ? toToken(row) : null;
  }

  async recordTokenUse(tokenHash: string, at: number): Promise<void> {
    await this.database.run(sql`
      UPDATE api_tokens SET last_used_at = ${at}
      WHERE token_hash = ${tokenHash} AND COALESCE(last_used_at, 0) < ${at}`);
  }

  async insertEnrolmentKey(key: EnrolmentKey): Promise<boolean> {
    const row: EnrolmentKeyRow = {
      ...key,
      labels: JSON.stringify(key.labels),
      replaces: Number(key.replaces),
    };
    const written = await this.database.runDurably(sql`
      INSERT INTO enrolment_keys ${insertion(row)}
      ON CONFLICT (name) DO UPDATE SET ${assignments(row)}
        WHERE enrolment_keys.revoked_at IS NOT NULL
          OR enrolment_keys.expires_at <= ${key.createdAt}
          OR enrolment_keys.uses >= enrolment_keys.max_uses
      RETURNING name`);
    return written.length > 0;
  }

  async listEnrolmentKeys({ after = "", limit }: NamesPage): Promise<EnrolmentKey[]> {
    const rows = await this.database.run<EnrolmentKeyRow>(sql`
      SELECT * FROM enrolment_keys WHERE name > ${after} ORDER BY name LIMIT ${limit}`);
    return rows.map(toEnrolmentKey);
  }

  async enrolmentKeyByHash(keyHash: string): Promise<EnrolmentKey | null> {
    const [row] = await this.database.run<EnrolmentKeyRow>(sql`
      SELECT * FROM enrolment_keys WHERE key_hash = ${keyHash}`);
    return row ? toEnrolmentKey(row) : null;
  }

  async revokeEnrolmentKey(name: string, at: number): Promise<EnrolmentKey | null> {
    const [row] = await this.database.runDurably<EnrolmentKeyRow>(sql`
      UPDATE enrolment_keys SET revoked_at = COALESCE(revoked_at, ${at})
      WHERE name = ${name} RETURNING *`);
    return row ? toEnrolmentKey(row) : null;
  }

  async useEnrolmentKey(keyHash: string, now: number): Promise<boolean> {
    const used = await this.database.runDurably(sql`
      UPDATE enrolment_keys SET uses = uses + 1, last_used_at = ${now}
      WHERE key_hash = ${keyHash} AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at > ${now})
        AND (max_uses IS NULL OR uses < max_uses)
      RETURNING name`);
    return used.length > 0;
  }

  async insertSession(session: SessionRow, now: number, maxSessions: number): Promise<string[]> {
    const row = { ...session, begunAt: now };
    await this.database.run(sql`
      DELETE FROM sessions WHERE session_hash IN (
        SELECT session_hash FROM sessions WHERE expires_at <= ${now}
        ORDER BY expires_at LIMIT ${MAX_REMOVED})`);
    await this.database.run(sql`INSERT INTO sessions ${insertion(row)}`);
    const ended = await this.database.runDurably<Pick<SessionRow, "sessionHash">>(sql`
      ${cascadingDeletion(sql`
        SELECT session_hash FROM (
          SELECT session_hash FROM sessions
          WHERE token_hash IS NOT DISTINCT FROM ${session.tokenHash}
          ORDER BY begun_at DESC, session_hash LIMIT ${MAX_REMOVED} OFFSET ${maxSessions}
        ) AS oldest`)}`);
    return ended.map(({ sessionHash }) => sessionHash);
  }

  async getSession(sessionHash: string): Promise<SessionRow | null> {
    const [row] = await this.database.run<SessionRow>(sql`
      SELECT session_hash, token_hash, begun_with, expires_at FROM sessions
      WHERE session_hash = ${sessionHash}
        AND (begun_with IS NULL OR begun_with IN (SELECT session_hash FROM sessions))`);
    return row ? { ...row, expiresAt: Number(row.expiresAt) } : null;
  }

  async deleteSession(sessionHash: string): Promise<string[]> {
    const ended = await this.database.runDurably<Pick<SessionRow, "sessionHash">>(sql`
      ${cascadingDeletion(sql`SELECT session_hash FROM sessions WHERE session_hash = ${sessionHash}`)}`);
    return ended.map((row) => row.sessionHash);
  }

  async insertCode(code: SignInCode, now: number, maxCodes: number): Promise<void> {
    await this.database.run(sql`
      DELETE FROM sign_in_codes WHERE code_hash IN (
        SELECT code_hash FROM sign_in_codes WHERE expires_at <= ${now}
        ORDER BY expires_at LIMIT ${MAX_REMOVED})`);
    await this.database.run(sql`INSERT INTO sign_in_codes ${insertion({ ...code })}`);
    await this.database.run(sql`
      DELETE FROM sign_in_codes WHERE code_hash IN (
        SELECT code_hash FROM sign_in_codes WHERE maker = ${code.maker}
        ORDER BY expires_at DESC, code_hash = ${code.codeHash} DESC
        LIMIT ${MAX_REMOVED} OFFSET ${maxCodes})`);
  }

  async useCode(codeHash: string): Promise<SignInCode | null> {
    const [row] = await this.database.run<SignInCode>(sql`
      DELETE FROM sign_in_codes WHERE code_hash = ${codeHash} RETURNING *`);
    return row ? { ...row, expiresAt: Number(row.expiresAt) } : null;
  }
}

/**
 * Returns a statement that deletes sessions. If a sign-in code was made in a deleted session, the session
 * that was begun with this code is deleted, too.
 * @param roots query for the hashes of the sessions to delete
 */
function cascadingDeletion(roots: Statement): Statement {
  return sql`
    WITH RECURSIVE ended (hash) AS (
      ${roots}
      UNION SELECT session_hash FROM sessions JOIN ended ON begun_with = hash
    )
    DELETE FROM sessions WHERE session_hash IN (SELECT hash FROM ended)
    RETURNING session_hash`;
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

function toEnrolmentKey(row: EnrolmentKeyRow): EnrolmentKey {
  return {
    ...row,
    labels: JSON.parse(row.labels) as Labels,
    replaces: Number(row.replaces) === 1,
    maxUses: numberOrNull(row.maxUses),
    uses: Number(row.uses),
    createdAt: Number(row.createdAt),
    expiresAt: numberOrNull(row.expiresAt),
    revokedAt: numberOrNull(row.revokedAt),
    lastUsedAt: numberOrNull(row.lastUsedAt),
  };
}
