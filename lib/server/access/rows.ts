import type { Labels } from "../../api/labels.ts";
import type { Role } from "../../api/roles.ts";

/** The row of an API token. Times are ms since 1970. */
export interface ApiToken {
  /** Unique among valid tokens; the name of an ended one may be used again. */
  name: string;
  /** SHA-256 of the secret, hex. The secret has 256 random bits, so a slower hash is not needed. */
  tokenHash: string;
  role: Role;
  /** Ids of clients that it sees; null, together with no labels: all. */
  sites: string[] | null;
  /** Selector of further clients that it sees by their labels; null: none. */
  labels: string | null;
  createdAt: number;
  expiresAt: number | null;
  revokedAt: number | null;
  lastUsedAt: number | null;
}

/** The row of an enrolment key, with which clients enrol. Times are ms since 1970. */
export interface EnrolmentKey {
  /** Unique among keys that are valid and have uses left. */
  name: string;
  /** SHA-256 of the secret, hex. */
  keyHash: string;
  /** Ids that may enrol with it; a `*` stands for any characters, or none. */
  ids: string;
  /** Labels for the clients that enrol with it. */
  labels: Labels;
  /** True: it also lets another machine take over the id of a client that is registered or revoked. */
  replaces: boolean;
  /** null: no limit. */
  maxUses: number | null;
  uses: number;
  createdAt: number;
  expiresAt: number | null;
  revokedAt: number | null;
  lastUsedAt: number | null;
}

/** The session of a person who is signed in with a browser. */
export interface SessionRow {
  /** Hash of the cookie's value. */
  sessionHash: string;
  /** Hash of the token with which it was begun; null: the API_TOKEN of the settings. */
  tokenHash: string | null;
  /** Hash of the session that made its sign-in code, if one did; when that ends, this one does. */
  begunWith: string | null;
  expiresAt: number;
}

/** A code for signing in once. */
export interface SignInCode {
  /** SHA-256 of the code, hex. */
  codeHash: string;
  /** Name of the token of its maker. */
  maker: string;
  /** Hash of that token; null: the API_TOKEN of the settings. */
  tokenHash: string | null;
  /** Hash of the session in which it was made; null: outside a session. */
  sessionHash: string | null;
  expiresAt: number;
}

/** A page of a list that is sorted by name. */
export interface NamesPage {
  /** Only rows after this name. */
  after?: string;
  /** Most rows. */
  limit: number;
}

/** The rows of tokens, keys, sessions and codes. Each change is one conditional statement. */
export interface AccessRows {
  /** @returns false if a token of this name is valid at the time of making */
  insertToken(token: ApiToken): Promise<boolean>;
  /** By name. */
  listTokens(page: NamesPage): Promise<ApiToken[]>;
  tokenByHash(tokenHash: string): Promise<ApiToken | null>;
  /** @returns the token as it is now; null: there is none. One that was revoked before is not changed */
  revokeToken(name: string, at: number): Promise<ApiToken | null>;
  tokenUsed(tokenHash: string, at: number): Promise<void>;

  /** See insertToken. */
  insertEnrolmentKey(key: EnrolmentKey): Promise<boolean>;
  /** By name. */
  listEnrolmentKeys(page: NamesPage): Promise<EnrolmentKey[]>;
  enrolmentKeyByHash(keyHash: string): Promise<EnrolmentKey | null>;
  /** See revokeToken. */
  revokeEnrolmentKey(name: string, at: number): Promise<EnrolmentKey | null>;
  /** Counts a use. @returns false: the key is not valid, or has no use left */
  useEnrolmentKey(keyHash: string, now: number): Promise<boolean>;

  /**
   * Inserts a session that begins at `now`, and removes some that have ended.
   * @param most sessions of one token; older ones are ended
   * @returns the hashes of the sessions that were ended
   */
  insertSession(session: SessionRow, now: number, most: number): Promise<string[]>;
  /** @returns null where there is none, or where the session that it was begun with has ended */
  getSession(sessionHash: string): Promise<SessionRow | null>;
  /** Deletes a session, and those begun with it. @returns their hashes */
  deleteSession(sessionHash: string): Promise<string[]>;

  /**
   * Inserts a code, and removes those that have expired by `now`.
   * @param most codes of one maker; older ones are removed
   */
  insertCode(code: SignInCode, now: number, most: number): Promise<void>;
  /** Takes a code, so that nobody else can use it. @returns null where there is none */
  useCode(codeHash: string): Promise<SignInCode | null>;
}
