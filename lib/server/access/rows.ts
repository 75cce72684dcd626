import type { Labels } from "../../api/labels.ts";
import type { Role } from "../../api/roles.ts";

/** The row of an API token. Times are ms since 1970. */
export interface ApiToken {
  /**
   * Name of the token. No two valid tokens have the same name; a new token may take the name of an ended one.
   */
  name: string;
  /** SHA-256 of the secret, in hex. A slow hash is not needed, because the secret has 256 random bits. */
  tokenHash: string;
  role: Role;
  /** Ids of clients that the token may see. If `sites` and `labels` are both null, it may see all clients. */
  sites: string[] | null;
  /** Selector of further clients that the token may see by their labels; null: none. */
  labels: string | null;
  createdAt: number;
  expiresAt: number | null;
  revokedAt: number | null;
  lastUsedAt: number | null;
}

/** The row of an enrolment key, by which new clients register. Times are ms since 1970. */
export interface EnrolmentKey {
  /** Name of the key. Two keys cannot have the same name while both are valid and have uses left. */
  name: string;
  /** SHA-256 of the key, in hex. */
  keyHash: string;
  /** Pattern of the client ids that may enrol with the key. A `*` stands for any characters, or none. */
  ids: string;
  /** Labels that clients get when they enrol with the key. */
  labels: Labels;
  /** True: the key also lets a new machine take over the id of a registered or revoked client. */
  replaces: boolean;
  /** Maximum number of clients that may enrol with the key; null: no limit. */
  maxUses: number | null;
  uses: number;
  createdAt: number;
  expiresAt: number | null;
  revokedAt: number | null;
  lastUsedAt: number | null;
}

/** The session of a person who is signed in to the dashboard with a browser. */
export interface SessionRow {
  /** Hash of the value of the session's cookie. */
  sessionHash: string;
  /** Hash of the token that began the session; null: it was the API_TOKEN of the settings. */
  tokenHash: string | null;
  /**
   * Hash of the earlier session in which the sign-in code for this session was made; null: the session was
   * begun with a token, or with a code made outside a session. When the earlier session ends, this one ends,
   * too.
   */
  begunWith: string | null;
  expiresAt: number;
}

/** A one-time code that signs a person in to the dashboard. */
export interface SignInCode {
  /** SHA-256 of the code, in hex. */
  codeHash: string;
  /** Name of the token that made the code. */
  maker: string;
  /** Hash of the token that made the code; null: it was the API_TOKEN of the settings. */
  tokenHash: string | null;
  /** Hash of the session in which the code was made; null: it was made outside a session. */
  sessionHash: string | null;
  expiresAt: number;
}

/** Selects a page of a list that is sorted by name. */
export interface NamesPage {
  /** Only rows whose names sort after this name. */
  after?: string;
  /** Maximum number of rows of the page. */
  limit: number;
}

/**
 * The rows of tokens, enrolment keys, sessions and sign-in codes. Each change is one conditional statement.
 */
export interface AccessRows {
  /**
   * Inserts a token. An ended token with the same name is replaced.
   * @returns false: a valid token has the name
   */
  insertToken(token: ApiToken): Promise<boolean>;
  /** Lists tokens in the order of their names. */
  listTokens(page: NamesPage): Promise<ApiToken[]>;
  tokenByHash(tokenHash: string): Promise<ApiToken | null>;
  /**
   * Revokes a token, unless it is revoked already.
   * @returns the token as it is now; null: no token has this name
   */
  revokeToken(name: string, at: number): Promise<ApiToken | null>;
  recordTokenUse(tokenHash: string, at: number): Promise<void>;

  /**
   * Inserts an enrolment key. A key with the same name that is no longer valid or has no uses left is
   * replaced.
   * @returns false: the name belongs to a key that is valid and has uses left
   */
  insertEnrolmentKey(key: EnrolmentKey): Promise<boolean>;
  /** Lists enrolment keys in the order of their names. */
  listEnrolmentKeys(page: NamesPage): Promise<EnrolmentKey[]>;
  enrolmentKeyByHash(keyHash: string): Promise<EnrolmentKey | null>;
  /**
   * Revokes an enrolment key, unless it is revoked already.
   * @returns the key as it is now; null: no key has this name
   */
  revokeEnrolmentKey(name: string, at: number): Promise<EnrolmentKey | null>;
  /** Counts a use of an enrolment key. @returns false: the key is not valid, or has no use left */
  useEnrolmentKey(keyHash: string, now: number): Promise<boolean>;

  /**
   * Inserts a session that begins at `now`, and removes a few sessions that had expired by then.
   * @param maxSessions limit on the sessions of one token; the oldest sessions beyond the limit are ended
   * @returns the hashes of the sessions that were ended because of the limit
   */
  insertSession(session: SessionRow, now: number, maxSessions: number): Promise<string[]>;
  /**
   * Finds a session.
   * @returns null: there is no such session, or its sign-in code was made in a session that has ended
   */
  getSession(sessionHash: string): Promise<SessionRow | null>;
  /**
   * Deletes a session. If a sign-in code was made in a deleted session, the session that was begun with this
   * code is deleted, too.
   * @returns the hashes of all deleted sessions
   */
  deleteSession(sessionHash: string): Promise<string[]>;

  /**
   * Inserts a sign-in code, and removes a few codes that had expired by `now`.
   * @param maxCodes limit on the codes that one token made; the oldest codes beyond the limit are removed
   */
  insertCode(code: SignInCode, now: number, maxCodes: number): Promise<void>;
  /**
   * Deletes a sign-in code and returns its row, so that the code works only once.
   * @returns null: there is no such code
   */
  useCode(codeHash: string): Promise<SignInCode | null>;
}
