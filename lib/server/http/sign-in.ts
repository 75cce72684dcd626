import { createHmac } from "node:crypto";
import type { SessionEnd } from "../../api/schemas.ts";
import { FdsError } from "../../protocol/errors.ts";
import { BOOTSTRAP_ADMIN, type Caller } from "../access/caller.ts";
import { hasExpired } from "../access/expiry.ts";
import type { OpenCalls } from "../access/open-calls.ts";
import type { AccessRows } from "../access/rows.ts";
import type { Tokens } from "../access/tokens.ts";
import { steadyNow } from "../../util/steady-clock.ts";
import { newSecret, sameSecret } from "../access/secrets.ts";
import type { Guesses } from "./guesses.ts";
import { sessionCookie, sessionIn } from "./session-cookie.ts";
import { SignInCodes } from "./sign-in-codes.ts";

/** How long a person stays signed in, in seconds. */
const SESSION_SECONDS = 7 * 86_400;

/** Limit on the sessions of one token. A new session ends the oldest. */
const MAX_SESSIONS = 1_000;

/** The secret with which a person signs in: either an API token, or the code of a sign-in link. */
export interface Credentials {
  token?: string | undefined;
  code?: string | undefined;
}

/** A new session of a signed-in person. */
export interface SignedIn {
  caller: Caller;
  /** When the session ends, in ms since 1970. */
  expiresAt: number;
  /** Value of the `Set-Cookie` response header. */
  cookie: string;
}

export interface SignInOptions {
  /** The API_TOKEN of the settings. */
  apiToken: string;
  tokens: Tokens;
  rows: Pick<
    AccessRows,
    "insertSession" | "getSession" | "deleteSession" | "insertCode" | "useCode"
  >;
  openCalls: OpenCalls;
  guesses: Pick<Guesses, "signIn">;
  /** Returns the current time, in ms since 1970. */
  now?: () => number;
}

/**
 * Signs in people who use the API with a browser. The browser then sends a session cookie instead of the
 * token. A session is a row, so it survives a restart and can be ended. It ends with its token, and with the
 * session in which its sign-in code was made, if any. The stored hash of the cookie includes API_TOKEN, so
 * changing API_TOKEN ends all sessions.
 */
export class SignIn {
  readonly #codes: SignInCodes;
  readonly #now: () => number;

  constructor(private readonly options: SignInOptions) {
    this.#now = options.now ?? steadyNow;
    this.#codes = new SignInCodes(options.rows, this.#now);
  }

  /**
   * Makes the code of a sign-in link. It is valid once, until `expiresAt` (ms since 1970), with the maker's
   * rights.
   */
  newCode(maker: Caller): Promise<{ code: string; expiresAt: number }> {
    return this.#codes.make(maker);
  }

  /**
   * Begins a session.
   * @param address IP address of the caller, which is refused for a while after too many failed sign-ins
   * @throws FdsError `unauthorized` or `rate_limited`
   */
  async signIn(credentials: Credentials, request: Request, address: string): Promise<SignedIn> {
    const { rows, guesses } = this.options;
    const caller = await guesses.signIn(address, () => this.#callerOf(credentials));
    const now = this.#now();
    const expiresAt = Math.min(now + SESSION_SECONDS * 1000, caller.expiresAt ?? Infinity);
    const value = newSecret("fds_session");
    const sessionHash = this.#hash(value);
    const { tokenHash, sessionHash: begunWith } = caller;
    const session = { sessionHash, tokenHash, begunWith, expiresAt };
    this.#endCalls(await rows.insertSession(session, now, MAX_SESSIONS));
    const cookie = sessionCookie(request, value, Math.ceil((expiresAt - now) / 1000));
    return { caller: { ...caller, sessionHash, expiresAt }, expiresAt, cookie };
  }

  /**
   * Ends the session of a request, if any. Sign-in codes made in it, sessions begun with these codes, and
   * open calls end with it.
   * @returns the Set-Cookie header that makes the browser delete the cookie
   */
  async signOut(request: Request): Promise<string> {
    const cookieValue = sessionIn(request);
    if (cookieValue !== undefined) {
      this.#endCalls(await this.options.rows.deleteSession(this.#hash(cookieValue)));
    }
    return sessionCookie(request, "", 0);
  }

  /** Returns the caller of a request's session; null: the request has no valid session. */
  async sessionOf(request: Request): Promise<Caller | null> {
    const found = await this.#findSession(request);
    return found instanceof SessionEnded ? null : found;
  }

  /** Returns why the session of a request has ended; null: it is valid, or the request has none. */
  async endOf(request: Request): Promise<SessionEnd | null> {
    const found = await this.#findSession(request);
    return found instanceof SessionEnded ? found.reason : null;
  }

  /**
   * Looks up the session of a request.
   * @returns the caller, or why the session has ended; null: the request has no session
   */
  async #findSession(request: Request): Promise<Caller | SessionEnded | null> {
    const cookieValue = sessionIn(request);
    if (cookieValue === undefined) return null;
    try {
      return await this.#callerOfSession(this.#hash(cookieValue));
    } catch (error) {
      if (error instanceof SessionEnded) return error;
      throw error;
    }
  }

  async #callerOf({ token = "", code }: Credentials): Promise<Caller> {
    if (code !== undefined) return this.#redeem(code);
    return sameSecret(token, this.options.apiToken)
      ? BOOTSTRAP_ADMIN
      : this.options.tokens.callerOf(token);
  }

  /**
   * Uses a sign-in code, and returns the caller who made it.
   * @throws FdsError `unauthorized` if the code is not valid, or the maker's token or session has ended
   */
  async #redeem(code: string): Promise<Caller> {
    const maker = await this.#codes.use(code);
    if (!maker) {
      throw new FdsError(
        "unauthorized",
        "This sign-in link was used or is too old, sign in with the API token",
      );
    }
    const { sessionHash, tokenHash } = maker;
    return sessionHash === null
      ? this.#callerOfToken(tokenHash)
      : this.#callerOfSession(sessionHash);
  }

  /** Returns the caller of a session. @throws SessionEnded if the session or its token has ended */
  async #callerOfSession(sessionHash: string): Promise<Caller> {
    const session = await this.options.rows.getSession(sessionHash);
    if (!session) throw new SessionEnded("signed_out");
    if (hasExpired(session, this.#now())) throw new SessionEnded("expired");
    const { tokenHash, expiresAt } = session;
    try {
      return { ...(await this.#callerOfToken(tokenHash)), sessionHash, expiresAt };
    } catch (error) {
      // The token must have been revoked. It cannot have expired, as a session expires no later than its
      // token.
      const isRefused = error instanceof FdsError && error.code === "unauthorized";
      throw isRefused ? new SessionEnded("revoked") : error;
    }
  }

  /**
   * Returns the caller for a token.
   * @param tokenHash hash of the token; null: the API_TOKEN of the settings
   */
  async #callerOfToken(tokenHash: string | null): Promise<Caller> {
    return tokenHash === null ? BOOTSTRAP_ADMIN : this.options.tokens.callerWith(tokenHash);
  }

  /** Ends the open calls of ended sessions. */
  #endCalls(sessionHashes: string[]): void {
    if (sessionHashes.length === 0) return;
    const ended = new Set<string | null>(sessionHashes);
    this.options.openCalls.end(({ sessionHash }) => ended.has(sessionHash));
  }

  #hash(cookieValue: string): string {
    return createHmac("sha256", this.options.apiToken).update(cookieValue).digest("hex");
  }
}

/** The error for a session that is no longer valid. */
class SessionEnded extends FdsError {
  constructor(readonly reason: SessionEnd) {
    super("unauthorized", "The session has ended, sign in again");
  }
}
