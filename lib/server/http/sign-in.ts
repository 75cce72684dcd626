import { createHmac, randomBytes } from "node:crypto";
import { FdsError } from "../../protocol/errors.ts";
import { hashSecret, sameSecret } from "../auth.ts";

/** How long a person stays signed in, in seconds. */
const SESSION_SECONDS = 7 * 86_400;

/** How long a code of a sign-in link can be used, in ms. */
const CODE_LIFETIME_MS = 15 * 60_000;

/** Codes that are good at the same time; the oldest one gives way. */
const MAX_CODES = 100;

/** What a person shows to sign in: one of the two. */
export interface Credentials {
  token?: string | undefined;
  code?: string | undefined;
}

/**
 * Signs people in who use the API with a browser, which then shows a cookie in place of the token.
 * A session is a signed time of its end, so it outlives a restart and needs no memory; another
 * API_TOKEN ends all of them.
 */
export class SignIn {
  /** Hash of each unused code → when it expires, ms since 1970. */
  readonly #codes = new Map<string, number>();
  readonly #key: Buffer;

  /**
   * @param apiToken of the server
   * @param now ms since 1970
   */
  constructor(
    private readonly apiToken: string,
    private readonly now: () => number = Date.now,
  ) {
    this.#key = createHmac("sha256", apiToken).update("fds session").digest();
  }

  /** A code for a link, good for one sign-in until `expiresAt`, ms since 1970. */
  newCode(): { code: string; expiresAt: number } {
    const code = randomBytes(24).toString("base64url");
    const [oldest] = this.#codes.keys();
    if (this.#codes.size >= MAX_CODES && oldest !== undefined) this.#codes.delete(oldest);
    const expiresAt = this.now() + CODE_LIFETIME_MS;
    this.#codes.set(hashSecret(code), expiresAt);
    return { code, expiresAt };
  }

  /**
   * Begins a session.
   * @returns when it ends, ms since 1970, and the cookie to set
   * @throws FdsError `unauthorized`
   */
  signIn({ token, code }: Credentials, request: Request): { expiresAt: number; cookie: string } {
    if (code !== undefined && !this.#redeem(code)) {
      throw new FdsError(
        "unauthorized",
        "This sign-in link was used or is too old, sign in with the API token",
      );
    }
    if (code === undefined && !sameSecret(token ?? "", this.apiToken)) {
      throw new FdsError("unauthorized", "The API token is not the right one");
    }
    const expiresAt = this.now() + SESSION_SECONDS * 1000;
    const cookie = cookieFor(request, this.#sign(expiresAt), SESSION_SECONDS);
    return { expiresAt, cookie };
  }

  /** The cookie that ends the session in the browser. */
  signOut(request: Request): string {
    return cookieFor(request, "", 0);
  }

  /** When the session that a request shows ends, ms since 1970; null: it shows none that is good. */
  sessionOf(request: Request): number | null {
    const value = readCookie(request.headers.get("Cookie") ?? "", cookieName(request));
    const expiresAt = Number(value?.split(".")[0]);
    if (value === undefined || !Number.isSafeInteger(expiresAt)) return null;
    return sameSecret(value, this.#sign(expiresAt)) && expiresAt > this.now() ? expiresAt : null;
  }

  #redeem(code: string): boolean {
    const hash = hashSecret(code);
    const expiresAt = this.#codes.get(hash);
    this.#codes.delete(hash);
    return expiresAt !== undefined && expiresAt > this.now();
  }

  #sign(expiresAt: number): string {
    const signature = createHmac("sha256", this.#key).update(String(expiresAt)).digest("base64url");
    return `${expiresAt}.${signature}`;
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

function readCookie(header: string, name: string): string | undefined {
  const pairs = header.split(/; */).map((pair) => pair.split("=", 2));
  return pairs.find(([key]) => key === name)?.[1];
}
