import type { Context, MiddlewareHandler } from "hono";
import { endpoints } from "../../api/endpoints.ts";
import type { Endpoint } from "../../api/endpoints/endpoint.ts";
import type { RateLimiter } from "../../util/rate-limiter.ts";
import type { Caller } from "../access/caller.ts";
import { networkOf } from "../access/remote-address.ts";
import { type Access, callerOf, requireCsrfSafe } from "./authentication.ts";
import { RateLimited } from "./rate-limited.ts";
import type { RestEnv } from "./rest-env.ts";

/** Paths that anybody may call. */
const OPEN: ReadonlySet<string> = new Set(
  Object.values<Endpoint>(endpoints)
    .filter(({ role }) => role === "anyone")
    .map(({ path }) => path),
);

export interface AuthenticationOptions {
  access: Access;
  /** How many requests each caller may make. */
  requests: RateLimiter;
}

/**
 * Finds out who calls, and slows down who calls too often; who is not let in, too.
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

/** Who may call is decided when the call acts: a body may come long after the head. */
export function authenticateAgain(access: Access): MiddlewareHandler<RestEnv> {
  return async (c, next) => {
    c.set("caller", await callerIn(c, access));
    await next();
  };
}

/**
 * Who makes a call.
 * @returns null where anyone may call, or nothing is
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

/** @param name of the token that was shown; null: none */
function slowDown(requests: RateLimiter, name: string | null, address: string): void {
  // A token may be called as an address is.
  const who = name === null ? `address ${networkOf(address)}` : `token ${name}`;
  const wait = requests.take(who);
  if (wait > 0) throw new RateLimited(wait, "too many requests came");
}
