import type { Context, MiddlewareHandler } from "hono";
import { endpoints } from "../../api/endpoints.ts";
import type { Endpoint } from "../../api/endpoints/endpoint.ts";
import type { RateLimiter } from "../../util/rate-limiter.ts";
import type { Caller } from "../access/caller.ts";
import { networkOf } from "../access/remote-address.ts";
import { type Access, callerOf, requireCsrfSafe } from "./authentication.ts";
import { RateLimited } from "./rate-limited.ts";
import type { RestEnv } from "./rest-env.ts";

/** Paths that need no authentication. */
const OPEN_PATHS: ReadonlySet<string> = new Set(
  Object.values<Endpoint>(endpoints)
    .filter(({ role }) => role === "anyone")
    .map(({ path }) => path),
);

export interface AuthenticationOptions {
  access: Access;
  /** Limits the rate of requests by each caller. */
  requests: RateLimiter;
}

/**
 * Returns a middleware that authenticates callers and limits their request rate. Requests that fail the
 * authentication count, too.
 * @throws FdsError `unauthorized`, `forbidden` or `rate_limited`, from the middleware
 */
export function authentication({
  access,
  requests,
}: AuthenticationOptions): MiddlewareHandler<RestEnv> {
  return async (c, next) => {
    try {
      c.set("caller", await callerIn(c, access));
    } catch (error) {
      countRequest(requests, null, c.env.address);
      throw error;
    }
    countRequest(requests, c.var.caller?.name ?? null, c.env.address);
    await next();
  };
}

/**
 * Returns a middleware that authenticates the caller again after the body was read. The body may arrive long
 * after the headers.
 */
export function authenticateAgain(access: Access): MiddlewareHandler<RestEnv> {
  return async (c, next) => {
    c.set("caller", await callerIn(c, access));
    await next();
  };
}

/**
 * Returns the caller of a request.
 * @returns null: the path needs no authentication, or does not exist
 * @throws FdsError `unauthorized`, `forbidden` or `rate_limited`
 */
export async function callerIn(
  { req: { path, raw }, env }: Context<RestEnv>,
  access: Access,
): Promise<Caller | null> {
  if (OPEN_PATHS.has(path)) {
    requireCsrfSafe(raw, access);
    return null;
  }
  const isGuarded = path.startsWith("/api/") || path === "/metrics";
  return isGuarded ? callerOf(raw, env.address, access) : null;
}

/**
 * Counts a request, and refuses it if its caller has sent too many.
 * @param name name of the caller's token; null: there is none, and the request counts for its address
 * @throws RateLimited
 */
function countRequest(requests: RateLimiter, name: string | null, address: string): void {
  // The prefixes keep tokens and addresses apart, as the name of a token may look like an address.
  const who = name === null ? `address ${networkOf(address)}` : `token ${name}`;
  const wait = requests.take(who);
  if (wait > 0) throw new RateLimited(wait, "too many requests came");
}
