import type { Labels } from "../../api/labels.ts";
import type { Role } from "../../api/roles.ts";

/** An API token as it is kept. Times are ms since 1970. */
export interface ApiToken {
  /** Its own as long as it is good: then another one may have it. */
  name: string;
  /** SHA-256 of the secret, hex: of 256 random bits nothing slower is needed. */
  tokenHash: string;
  role: Role;
  /** Ids of clients that it sees; null beside no labels: all. */
  sites: string[] | null;
  /** Selector of other clients that it sees; null: none by their labels. */
  labels: string | null;
  createdAt: number;
  expiresAt: number | null;
  revokedAt: number | null;
  lastUsedAt: number | null;
}

/** What lets clients enrol, as it is kept. Times are ms since 1970. */
export interface EnrolmentKey {
  /** Its own as long as it is good, and a use is left. */
  name: string;
  /** SHA-256 of the secret, hex. */
  keyHash: string;
  /** Ids that may enrol with it; a `*` stands for any characters, or none. */
  ids: string;
  /** Labels for whoever enrols with it. */
  labels: Labels;
  /** It also lets another machine take over an id that belongs to a key, or was revoked. */
  replaces: boolean;
  /** null: no limit */
  maxUses: number | null;
  uses: number;
  createdAt: number;
  expiresAt: number | null;
  revokedAt: number | null;
  lastUsedAt: number | null;
}

/** Somebody who is signed in with a browser. */
export interface SessionRow {
  /** Hash of the cookie's value. */
  sessionHash: string;
  /** Hash of the token that began it; null: the API_TOKEN of the settings. */
  tokenHash: string | null;
  /** The session in which the code was made that it was begun with, if any: it ends with that. */
  begunWith: string | null;
  expiresAt: number;
}

/** A code that signs a person in, once. */
export interface SignInCode {
  /** SHA-256 of the code, hex. */
  codeHash: string;
  /** The name of the token of whoever made it. */
  maker: string;
  /** Hash of that token; null: the API_TOKEN of the settings. */
  tokenHash: string | null;
  /** Hash of the session in which it was made; null: in none. */
  sessionHash: string | null;
  expiresAt: number;
}

/** A part of a list by name. */
export interface NamesPage {
  /** Only what comes behind this name. */
  after?: string;
  /** Most rows to give. */
  limit: number;
}

/** Who may do what, as it is kept. Each change is one conditional statement. */
export interface AccessRows {
  /** @returns false if the name is taken by one that is good when this one is made */
  insertToken(token: ApiToken): Promise<boolean>;
  /** By name. */
  listTokens(page: NamesPage): Promise<ApiToken[]>;
  tokenByHash(tokenHash: string): Promise<ApiToken | null>;
  /** @returns the token as it now is; null: there is none; one that was revoked stays as it was */
  revokeToken(name: string, at: number): Promise<ApiToken | null>;
  tokenUsed(tokenHash: string, at: number): Promise<void>;

  /** As insertToken. */
  insertEnrolmentKey(key: EnrolmentKey): Promise<boolean>;
  /** By name. */
  listEnrolmentKeys(page: NamesPage): Promise<EnrolmentKey[]>;
  enrolmentKeyByHash(keyHash: string): Promise<EnrolmentKey | null>;
  /** As revokeToken. */
  revokeEnrolmentKey(name: string, at: number): Promise<EnrolmentKey | null>;
  /** Counts a use, if the key is good and one is left. @returns false: it is not */
  useEnrolmentKey(keyHash: string, now: number): Promise<boolean>;

  /**
   * Begins a session at `now`, and forgets some that have ended by then.
   * @param most sessions of one token; those that were begun before are ended
   * @returns the hashes of those
   */
  insertSession(session: SessionRow, now: number, most: number): Promise<string[]>;
  /** @returns null also where the session is gone that it was begun with */
  getSession(sessionHash: string): Promise<SessionRow | null>;
  /** Ends a session, and those that were begun with it. @returns their hashes */
  deleteSession(sessionHash: string): Promise<string[]>;

  /**
   * Keeps a code, and forgets those that have expired by `now`.
   * @param most codes of one maker; those that were made before are forgotten
   */
  insertCode(code: SignInCode, now: number, most: number): Promise<void>;
  /** Takes a code, which nobody else can then. @returns null where there is none */
  useCode(codeHash: string): Promise<SignInCode | null>;
}
