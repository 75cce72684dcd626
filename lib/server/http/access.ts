import { FdsError } from "../../protocol/errors.ts";
import { requireToken } from "../auth.ts";
import type { SignIn } from "./sign-in.ts";

/** Who may call the API, and how it is shown. */
export interface Access {
  /** null: the server listens on loopback only, and asks for none. */
  apiToken: string | null;
  /** null where there is no token to sign in with. */
  signIn: SignIn | null;
}

/**
 * Whether a call may go on: it shows the token, or the cookie of a session, or neither where the
 * server has no token. A browser sends a cookie, and reaches this machine's loopback, for whatever
 * page it shows: so a change that the token does not vouch for must come from our own page.
 * @param open true for a call that needs neither
 * @throws FdsError `unauthorized` or `forbidden`
 */
export function requireAccess(request: Request, { apiToken, signIn }: Access, open = false): void {
  const authorization = request.headers.get("Authorization");
  if (apiToken !== null && authorization !== null && !open) {
    return requireToken(authorization, apiToken);
  }
  if (apiToken === null) requireLoopbackName(request);
  const byCookie = signIn?.sessionOf(request) != null;
  if (apiToken !== null && !open && !byCookie) requireToken(undefined, apiToken);
  if (request.method !== "GET" && request.method !== "HEAD") requireOwnOrigin(request, byCookie);
}

/** @param always true: an Origin must be there; else a call without one is a program's, and fine */
function requireOwnOrigin(request: Request, always: boolean): void {
  const isMissing = always && request.headers.get("Origin") === null;
  if (!isMissing && isOwnOrigin(request)) return;
  throw new FdsError("forbidden", "Call this from the server's own pages, or with the API token");
}

/** False for what a browser sends on behalf of another site's page; programs send no Origin. */
export function isOwnOrigin(request: Request): boolean {
  const origin = request.headers.get("Origin");
  return origin === null || URL.parse(origin)?.host === new URL(request.url).host;
}

/** A page of elsewhere can give its own name our address (DNS rebinding), but not take ours. */
function requireLoopbackName(request: Request): void {
  const { hostname } = new URL(request.url);
  if (/^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname)) return;
  throw new FdsError("forbidden", 'Set API_TOKEN to use any other name than "localhost"');
}
