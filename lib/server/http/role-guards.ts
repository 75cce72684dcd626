import type { MiddlewareHandler } from "hono";
import type { Endpoint } from "../../api/endpoints/endpoint.ts";
import { mayActAs, type Role } from "../../api/roles.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { RestEnv } from "./rest-env.ts";

/** Middleware that lets a call pass if its caller has the role or a higher one. */
export type RoleGuard<R extends Endpoint["role"]> = MiddlewareHandler<RestEnv> & {
  readonly role: R;
};

/** Guard for endpoints that need no token: every call passes. */
export const anyone: RoleGuard<"anyone"> = Object.assign<
  MiddlewareHandler<RestEnv>,
  { role: "anyone" }
>((_, next) => next(), { role: "anyone" });

export const viewer = guardOf("viewer");
export const operator = guardOf("operator");
export const admin = guardOf("admin");

/** Returns a guard that requires a role. @throws FdsError `forbidden`, from the guard */
function guardOf<R extends Role>(role: R): RoleGuard<R> {
  const guard: MiddlewareHandler<RestEnv> = async (c, next) => {
    const { caller } = c.var;
    if (!caller || !mayActAs(caller.role, role)) {
      throw new FdsError("forbidden", `Use a token of the role "${role}" for this`);
    }
    await next();
  };
  return Object.assign(guard, { role });
}
