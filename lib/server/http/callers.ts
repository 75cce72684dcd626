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
const OPEN: ReadonlySet<string> = new Set(
  Object.values<Endpoint>(endpoints)
    .filter(({ role }) => role === "anyone")
    .map(({ path }) => path),
);

export interface AuthenticationOptions {
  access: Access;
  /** Limits the requests of each caller. */
  requests: RateLimiter;
}

/**
 * Authenticates callers, and limits their rate, including those that are not let in.
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
      slowDown(requests, null, c.env.address);
      throw error;
    }
    slowDown(requests, c.var.caller?.name ?? null, c.env.address);
    await next();
  };
}

/** Authenticates again when the call acts, as the body may arrive long after the head. */
export function authenticateAgain(access: Access): MiddlewareHandler<RestEnv> {
  return async (c, next) => {
    c.set("caller", await callerIn(c, access));
    await next();
  };
}

/**
 * The caller of a request.
 * @returns null where anybody may call, or there is no such call
 * @throws FdsError `unauthorized`, `forbidden` or `rate_limited`
 */
export async function callerIn(
  { req: { path, raw }, env }: Context<RestEnv>,
  access: Access,
): Promise<Caller | null> {
  if (OPEN.has(path)) {
    requireCsrfSafe(raw, access);
    return null;
  }
  const isGuarded = path.startsWith("/api/") || path === "/metrics";
  return isGuarded ? callerOf(raw, env.address, access) : null;
}

/** @param name of the token that was sent; null: none */
function slowDown(requests: RateLimiter, name: string | null, address: string): void {
  // A token's name may look like an address.
  const who = name === null ? `address ${networkOf(address)}` : `token ${name}`;
  const wait = requests.take(who);
  if (wait > 0) throw new RateLimited(wait, "too many requests came");
}
