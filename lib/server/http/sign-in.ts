import { createHmac, randomBytes } from "node:crypto";
import { FdsError } from "../../protocol/errors.ts";
import { BOOTSTRAP, BOOTSTRAP_ADMIN, type Caller } from "../access/caller.ts";
import { hasExpired } from "../access/expiry.ts";
import type { OpenCalls } from "../access/open-calls.ts";
import type { AccessRows } from "../access/rows.ts";
import type { Tokens } from "../access/tokens.ts";
import { steadyNow } from "../../util/steady-clock.ts";
import { Throttle } from "../../util/throttle.ts";
import { hashSecret, newSecret, sameSecret } from "../access/secrets.ts";
import { RateLimited } from "./rate-limited.ts";
import { networkOf } from "../access/remote-address.ts";

/** How long a person stays signed in, in seconds. */
const SESSION_SECONDS = 7 * 86_400;

/** How long a code of a sign-in link can be used, in ms. */
const CODE_LIFETIME_MS = 15 * 60_000;

/** Codes that are good at the same time; the oldest one gives way. */
const MAX_CODES = 100;

/** Of one address: whoever guesses is slowed. */
const FAILED_SIGN_INS = { burst: 10, everyMs: 30_000 };

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
  /** To be set. */
  cookie: string;
}

export interface SignInOptions {
  /** The API_TOKEN of the settings. */
  apiToken: string;
  tokens: Tokens;
  rows: Pick<AccessRows, "insertSession" | "getSession" | "deleteSession">;
  openCalls: OpenCalls;
  /** ms since 1970 */
  now?: () => number;
}

/**
 * Signs people in who use the API with a browser, which then shows a cookie in place of the token.
 * A session is a row, so it outlives a restart and can be ended; it ends with its token. What is
 * kept of the cookie is a hash that API_TOKEN goes into: another one ends all sessions.
 */
export class SignIn {
  /** Hash of each unused code → whose it is, and when it expires, ms since 1970. */
  readonly #codes = new Map<string, { name: string | null; expiresAt: number }>();
  readonly #tries: Throttle;
  readonly #now: () => number;

  constructor(private readonly options: SignInOptions) {
    this.#now = options.now ?? steadyNow;
    this.#tries = new Throttle(FAILED_SIGN_INS, this.#now);
  }

  /** A code for a link, good for one sign-in as `caller` until `expiresAt`, ms since 1970. */
  newCode({ name }: Caller): { code: string; expiresAt: number } {
    const code = randomBytes(24).toString("base64url");
    const [oldest] = this.#codes.keys();
    if (this.#codes.size >= MAX_CODES && oldest !== undefined) this.#codes.delete(oldest);
    const expiresAt = this.#now() + CODE_LIFETIME_MS;
    this.#codes.set(hashSecret(code), { name, expiresAt });
    return { code, expiresAt };
  }

  /**
   * Begins a session.
   * @param address of whoever asks: one that failed too often is not listened to for a while
   * @throws FdsError `unauthorized` or `rate_limited`
   */
  async signIn(shown: Credentials, request: Request, address: string): Promise<SignedIn> {
    // Counted before it is known to fail: many at once are as many.
    const wait = this.#tries.take(networkOf(address));
    if (wait > 0) throw new RateLimited(wait, "too many sign-ins failed");
    const caller = await this.#callerOf(shown);
    this.#tries.giveBack(networkOf(address));
    const now = this.#now();
    const expiresAt = Math.min(now + SESSION_SECONDS * 1000, caller.expiresAt ?? Infinity);
    const value = newSecret("fds_session");
    const sessionHash = this.#hash(value);
    const tokenName = caller.name === BOOTSTRAP ? null : caller.name;
    await this.options.rows.insertSession({ sessionHash, tokenName, expiresAt }, now);
    const cookie = cookieFor(request, value, Math.ceil((expiresAt - now) / 1000));
    return { caller: { ...caller, sessionHash, expiresAt }, expiresAt, cookie };
  }

  /**
   * Ends the session that a request shows, if it shows one, and what is open with it.
   * @returns the cookie that makes the browser forget it
   */
  async signOut(request: Request): Promise<string> {
    const shown = shownBy(request);
    if (shown !== undefined) {
      const ended = this.#hash(shown);
      await this.options.rows.deleteSession(ended);
      this.options.openCalls.end(({ sessionHash }) => sessionHash === ended);
    }
    return cookieFor(request, "", 0);
  }

  /** Whose session a request shows; null: it shows none that is good. */
  async sessionOf(request: Request): Promise<Caller | null> {
    const shown = shownBy(request);
    if (shown === undefined) return null;
    const session = await this.options.rows.getSession(this.#hash(shown));
    if (!session || hasExpired(session, this.#now())) return null;
    const { sessionHash, tokenName, expiresAt } = session;
    try {
      return { ...(await this.#callerNamed(tokenName)), sessionHash, expiresAt };
    } catch (error) {
      if (error instanceof FdsError && error.code === "unauthorized") return null;
      throw error;
    }
  }

  async #callerOf({ token = "", code }: Credentials): Promise<Caller> {
    if (code !== undefined) return this.#redeem(code);
    return sameSecret(token, this.options.apiToken)
      ? BOOTSTRAP_ADMIN
      : this.options.tokens.callerOf(token);
  }

  async #redeem(code: string): Promise<Caller> {
    const hash = hashSecret(code);
    const found = this.#codes.get(hash);
    this.#codes.delete(hash);
    if (found && !hasExpired(found, this.#now())) {
      return this.#callerNamed(found.name === BOOTSTRAP ? null : found.name);
    }
    throw new FdsError(
      "unauthorized",
      "This sign-in link was used or is too old, sign in with the API token",
    );
  }

  /** @param tokenName null: the API_TOKEN of the settings */
  async #callerNamed(tokenName: string | null): Promise<Caller> {
    return tokenName === null ? BOOTSTRAP_ADMIN : this.options.tokens.callerNamed(tokenName);
  }

  #hash(cookieValue: string): string {
    return createHmac("sha256", this.options.apiToken).update(cookieValue).digest("hex");
  }
}

/** Of a port: browsers keep the cookies of all ports of a host together. */
function cookieName(request: Request): string {
  return `fds_session_${new URL(request.url).port || "default"}`;
}

function cookieFor(request: Request, value: string, seconds: number): string {
  // A proxy may have taken the TLS off: then only the browser's Origin tells of it.
  const origin = request.headers.get("Origin") ?? request.url;
  const attributes = ["Path=/", `Max-Age=${seconds}`, "HttpOnly", "SameSite=Strict"];
  if (origin.startsWith("https:")) attributes.push("Secure");
  return [`${cookieName(request)}=${value}`, ...attributes].join("; ");
}

/** The value of the session's cookie. */
function shownBy(request: Request): string | undefined {
  const pairs = (request.headers.get("Cookie") ?? "")
    .split(/; */)
    .map((pair) => pair.split("=", 2));
  return pairs.find(([key]) => key === cookieName(request))?.[1];
}
