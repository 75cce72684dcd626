import type { Hono } from "hono";
import type { EndpointAt, PathOf } from "../../api/endpoints.ts";
import type { CallHandler } from "./call.ts";
import { problem } from "./problem.ts";
import type { RestEnv } from "./rest-env.ts";
import type { RoleGuard } from "./role-guards.ts";

type AddRoute<Method> = <Path extends PathOf<Method>>(
  path: Path,
  role: RoleGuard<EndpointAt<Method, Path>["role"]>,
  ...call: CallHandler<EndpointAt<Method, NoInfer<Path>>>[]
) => unknown;

/**
 * The methods of a Hono app that add routes, with stricter types. A path, method, role or handler that does
 * not match the endpoint in lib/api is a compile error.
 */
export interface RestRoutes {
  get: AddRoute<"GET">;
  post: AddRoute<"POST">;
  patch: AddRoute<"PATCH">;
  delete: AddRoute<"DELETE">;
}

/**
 * Adds responses with status 405 for all other methods of paths that have routes. Must be called after the
 * last route was added.
 */
export function refuseOtherMethods(app: Hono<RestEnv>): void {
  const routes = app.routes.filter(({ method }) => method !== "ALL");
  for (const [path, pathRoutes] of Map.groupBy(routes, (route) => route.path)) {
    const methods = [...new Set(pathRoutes.map(({ method }) => method))];
    const allowed = methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : method));
    app.all(path, () =>
      problem("method_not_allowed", `Use ${allowed.join(" or ")} here`, {
        Allow: allowed.join(", "),
      }),
    );
  }
}
