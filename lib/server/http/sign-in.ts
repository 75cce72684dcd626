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

/** Most sessions of one token; a new one ends the oldest. */
const MAX_SESSIONS = 1_000;

/** What a person signs in with; exactly one of the two is given. */
export interface Credentials {
  token?: string | undefined;
  code?: string | undefined;
}

/** A new session. */
export interface SignedIn {
  caller: Caller;
  /** ms since 1970 */
  expiresAt: number;
  /** Value of the answer's `Set-Cookie`. */
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
  /** ms since 1970. */
  now?: () => number;
}

/**
 * Signs people in who use the API with a browser, which then sends a cookie in place of the token. A
 * session is a row, so it survives a restart and can be ended. It ends with its token, and with the session
 * whose code it was begun with, if any. The stored hash of the cookie includes API_TOKEN, so a new
 * API_TOKEN ends all sessions.
 */
export class SignIn {
  readonly #codes: SignInCodes;
  readonly #now: () => number;

  constructor(private readonly options: SignInOptions) {
    this.#now = options.now ?? steadyNow;
    this.#codes = new SignInCodes(options.rows, this.#now);
  }

  /** Makes a code for a link, good for one sign-in as `maker` until `expiresAt`, ms since 1970. */
  newCode(maker: Caller): Promise<{ code: string; expiresAt: number }> {
    return this.#codes.make(maker);
  }

  /**
   * Begins a session.
   * @param address of the caller; after too many failures it is refused for a while
   * @throws FdsError `unauthorized` or `rate_limited`
   */
  async signIn(shown: Credentials, request: Request, address: string): Promise<SignedIn> {
    const { rows, guesses } = this.options;
    const caller = await guesses.signIn(address, () => this.#callerOf(shown));
    const now = this.#now();
    const expiresAt = Math.min(now + SESSION_SECONDS * 1000, caller.expiresAt ?? Infinity);
    const value = newSecret("fds_session");
    const sessionHash = this.#hash(value);
    const { tokenHash, sessionHash: begunWith } = caller;
    const session = { sessionHash, tokenHash, begunWith, expiresAt };
    this.#end(await rows.insertSession(session, now, MAX_SESSIONS));
    const cookie = sessionCookie(request, value, Math.ceil((expiresAt - now) / 1000));
    return { caller: { ...caller, sessionHash, expiresAt }, expiresAt, cookie };
  }

  /**
   * Ends a request's session, if it has one, with the codes made in it, the sessions begun with these
   * codes, and their open calls.
   * @returns the cookie that makes the browser forget it
   */
  async signOut(request: Request): Promise<string> {
    const shown = sessionIn(request);
    if (shown !== undefined) {
      this.#end(await this.options.rows.deleteSession(this.#hash(shown)));
    }
    return sessionCookie(request, "", 0);
  }

  /** The caller of a request's session; null: it has no valid one. */
  async sessionOf(request: Request): Promise<Caller | null> {
    const found = await this.#lookAt(request);
    return found instanceof SessionEnded ? null : found;
  }

  /** Why a request's session has ended; null: it is valid, or there is none. */
  async endOf(request: Request): Promise<SessionEnd | null> {
    const found = await this.#lookAt(request);
    return found instanceof SessionEnded ? found.reason : null;
  }

  /** @returns null where the request has no session */
  async #lookAt(request: Request): Promise<Caller | SessionEnded | null> {
    const shown = sessionIn(request);
    if (shown === undefined) return null;
    try {
      return await this.#callerIn(this.#hash(shown));
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

  /** The maker of a code, if that maker could still make one. */
  async #redeem(code: string): Promise<Caller> {
    const maker = await this.#codes.use(code);
    if (!maker) {
      throw new FdsError(
        "unauthorized",
        "This sign-in link was used or is too old, sign in with the API token",
      );
    }
    const { sessionHash, tokenHash } = maker;
    return sessionHash === null ? this.#callerWith(tokenHash) : this.#callerIn(sessionHash);
  }

  /** @throws SessionEnded where the session or its token has ended */
  async #callerIn(sessionHash: string): Promise<Caller> {
    const session = await this.options.rows.getSession(sessionHash);
    if (!session) throw new SessionEnded("signed_out");
    if (hasExpired(session, this.#now())) throw new SessionEnded("expired");
    const { tokenHash, expiresAt } = session;
    try {
      return { ...(await this.#callerWith(tokenHash)), sessionHash, expiresAt };
    } catch (error) {
      // A session never outlives its token's original lifetime.
      const isRefused = error instanceof FdsError && error.code === "unauthorized";
      throw isRefused ? new SessionEnded("revoked") : error;
    }
  }

  /** @param tokenHash null: the API_TOKEN of the settings */
  async #callerWith(tokenHash: string | null): Promise<Caller> {
    return tokenHash === null ? BOOTSTRAP_ADMIN : this.options.tokens.callerWith(tokenHash);
  }

  /** Ends what belongs to ended sessions: their open calls, and the codes made in them. */
  #end(sessionHashes: string[]): void {
    if (sessionHashes.length === 0) return;
    const ended = new Set<string | null>(sessionHashes);
    this.options.openCalls.end(({ sessionHash }) => ended.has(sessionHash));
  }

  #hash(cookieValue: string): string {
    return createHmac("sha256", this.options.apiToken).update(cookieValue).digest("hex");
  }
}

/** The session is no longer valid. */
class SessionEnded extends FdsError {
  constructor(readonly reason: SessionEnd) {
    super("unauthorized", "The session has ended, sign in again");
  }
}
