import { FdsError } from "../../protocol/errors.ts";
import { BOOTSTRAP_ADMIN, type Caller, LOCAL_ADMIN } from "../access/caller.ts";
import type { Tokens } from "../access/tokens.ts";
import { sameSecret } from "../access/secrets.ts";
import { absoluteUrl } from "./host.ts";
import type { Guesses } from "./guesses.ts";
import type { SignIn } from "./sign-in.ts";

/** The objects that authenticate the callers of the API. */
export interface Access {
  /** The API_TOKEN of the settings; null: the server listens on loopback only, and needs no token. */
  apiToken: string | null;
  tokens: Pick<Tokens, "callerOf">;
  guesses: Pick<Guesses, "call">;
  /** Sessions of browsers; null: the server has no token to sign in with. */
  signIn: Pick<SignIn, "sessionOf"> | null;
}

/**
 * Returns the caller of a request, by its token or its session cookie. Without API_TOKEN, every request from
 * this machine counts as an admin's. A web page from elsewhere can make the browser send requests to this
 * server, even with the session cookie. So a request that may change something and has no Authorization
 * header must come from the server's own page.
 * @param address where the request came from
 * @throws FdsError `unauthorized`, `forbidden`, or `rate_limited` after many wrong tokens from the address
 */
export async function callerOf(request: Request, address: string, access: Access): Promise<Caller> {
  const { apiToken, tokens, guesses, signIn } = access;
  if (apiToken === null) {
    requireLoopbackName(request);
    requireOwnPage(request, false);
    return LOCAL_ADMIN;
  }
  const authorization = request.headers.get("Authorization");
  if (authorization !== null) {
    const token = tokenIn(authorization);
    return guesses.call(address, token, async () =>
      sameSecret(token, apiToken) ? BOOTSTRAP_ADMIN : tokens.callerOf(token),
    );
  }
  const caller = await signIn?.sessionOf(request);
  if (!caller) {
    throw new FdsError("unauthorized", 'Send the API token as "Authorization: Bearer …"');
  }
  requireOwnPage(request, true);
  return caller;
}

/** Protects calls without a token from cross-site requests. @throws FdsError `forbidden` */
export function requireCsrfSafe(request: Request, { apiToken }: Pick<Access, "apiToken">): void {
  if (apiToken === null) requireLoopbackName(request);
  requireOwnPage(request, apiToken !== null && request.headers.has("Cookie"));
}

function tokenIn(authorization: string): string {
  const token = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (token !== undefined) return token;
  throw new FdsError("unauthorized", 'Send the API token as "Authorization: Bearer …"');
}

/**
 * Requires that a request comes from the server's own page, unless it is GET or HEAD.
 * @param needsOrigin true: an Origin header is required; false: a request without Origin comes from a
 *   program, and is allowed
 * @throws FdsError `forbidden`
 */
function requireOwnPage(request: Request, needsOrigin: boolean): void {
  if (request.method === "GET" || request.method === "HEAD") return;
  const isMissing = needsOrigin && request.headers.get("Origin") === null;
  if (!isMissing && isOwnOrigin(request)) return;
  throw new FdsError("forbidden", "Call this from the server's own pages, or with the API token");
}

/**
 * Reports whether a request comes from the server's own page or from a program. Browsers send an Origin
 * header with requests of other web pages; programs send none.
 */
export function isOwnOrigin(request: Request): boolean {
  const origin = request.headers.get("Origin");
  return origin === null || URL.parse(origin)?.host === new URL(absoluteUrl(request)).host;
}

/**
 * The error message for a request that uses another host name than localhost, if the server has no API_TOKEN.
 */
export const FOREIGN_NAME_MESSAGE = 'Set API_TOKEN to use any other name than "localhost"';

/**
 * Reports whether the host name of a request is a loopback name. A foreign page can point its own name at the
 * server's address (DNS rebinding), but cannot use a loopback name.
 */
export function hasLoopbackName(request: Request): boolean {
  const { hostname } = new URL(absoluteUrl(request));
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}

function requireLoopbackName(request: Request): void {
  if (hasLoopbackName(request)) return;
  throw new FdsError("forbidden", FOREIGN_NAME_MESSAGE);
}
