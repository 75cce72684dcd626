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

/** Most sessions of one token; another one ends the oldest. */
const MAX_SESSIONS = 1_000;

/** What a person shows to sign in: one of the two. */
export interface Credentials {
  token?: string | undefined;
  code?: string | undefined;
}

/** A session that has begun. */
export interface SignedIn {
  caller: Caller;
  /** ms since 1970 */
  expiresAt: number;
  /** The value of the answer's `Set-Cookie`. */
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
  /** ms since 1970 */
  now?: () => number;
}

/**
 * Signs people in who use the API with a browser, which then shows a cookie in place of the token.
 * A session is a row, so it outlives a restart and can be ended; it ends with its token, and with
 * the session that it was begun with, if any. What is kept of the cookie is a hash that API_TOKEN
 * goes into: another one ends all sessions.
 */
export class SignIn {
  readonly #codes: SignInCodes;
  readonly #now: () => number;

  constructor(private readonly options: SignInOptions) {
    this.#now = options.now ?? steadyNow;
    this.#codes = new SignInCodes(options.rows, this.#now);
  }

  /** A code for a link, good for one sign-in as `caller` until `expiresAt`, ms since 1970. */
  newCode(maker: Caller): Promise<{ code: string; expiresAt: number }> {
    return this.#codes.make(maker);
  }

  /**
   * Begins a session.
   * @param address of whoever asks: one that failed too often is not listened to for a while
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
   * Ends the session that a request shows, if it shows one, with the codes that were made in it, the
   * sessions that were begun with them, and what is open with them.
   * @returns the cookie that makes the browser forget it
   */
  async signOut(request: Request): Promise<string> {
    const shown = sessionIn(request);
    if (shown !== undefined) {
      this.#end(await this.options.rows.deleteSession(this.#hash(shown)));
    }
    return sessionCookie(request, "", 0);
  }

  /** Whose session a request shows; null: it shows none that is good. */
  async sessionOf(request: Request): Promise<Caller | null> {
    const found = await this.#lookAt(request);
    return found instanceof SessionEnded ? null : found;
  }

  /** Why the session that a request shows is good no more; null: it is good, or none is shown. */
  async endOf(request: Request): Promise<SessionEnd | null> {
    const found = await this.#lookAt(request);
    return found instanceof SessionEnded ? found.reason : null;
  }

  /** @returns null where the request shows no session */
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

  /** Who made a code, as long as its maker could still make one. */
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

  /** @throws SessionEnded where the session or its token is good no more */
  async #callerIn(sessionHash: string): Promise<Caller> {
    const session = await this.options.rows.getSession(sessionHash);
    if (!session) throw new SessionEnded("signed_out");
    if (hasExpired(session, this.#now())) throw new SessionEnded("expired");
    const { tokenHash, expiresAt } = session;
    try {
      return { ...(await this.#callerWith(tokenHash)), sessionHash, expiresAt };
    } catch (error) {
      // A session never outlives the time that its token had from the start.
      const isRefused = error instanceof FdsError && error.code === "unauthorized";
      throw isRefused ? new SessionEnded("revoked") : error;
    }
  }

  /** @param tokenHash null: the API_TOKEN of the settings */
  async #callerWith(tokenHash: string | null): Promise<Caller> {
    return tokenHash === null ? BOOTSTRAP_ADMIN : this.options.tokens.callerWith(tokenHash);
  }

  /** Sessions are over: and so is what is open with them. A code that was made in one is good no more. */
  #end(sessionHashes: string[]): void {
    if (sessionHashes.length === 0) return;
    const ended = new Set<string | null>(sessionHashes);
    this.options.openCalls.end(({ sessionHash }) => ended.has(sessionHash));
  }

  #hash(cookieValue: string): string {
    return createHmac("sha256", this.options.apiToken).update(cookieValue).digest("hex");
  }
}

/** A session that is good no more. */
class SessionEnded extends FdsError {
  constructor(readonly reason: SessionEnd) {
    super("unauthorized", "The session has ended, sign in again");
  }
}
