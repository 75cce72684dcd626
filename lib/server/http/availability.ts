import type { MiddlewareHandler } from "hono";
import { endpoints } from "../../api/endpoints.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { Repository } from "../database/repository.ts";
import type { Storage } from "../storage/storage.ts";
import type { RestEnv } from "./rest-env.ts";

/** Paths that are answered without the database, or report its state. */
const ALWAYS_ANSWERED: ReadonlySet<string> = new Set([
  endpoints.health.path,
  endpoints.live.path,
  endpoints.openapi.path,
]);

/** Interval in ms at which a running call checks whether the database has become unreachable. */
const CHECK_EVERY_MS = 500;

/**
 * Returns a middleware that refuses calls while the database is unreachable, instead of letting them wait. A
 * running GET is aborted; other calls are not, as their callers need to know whether the change was made.
 * @throws FdsError `unavailable`, from the middleware
 */
export function refuseWhileAway(rows: { readonly isAway: boolean }): MiddlewareHandler<RestEnv> {
  return async (c, next) => {
    if (ALWAYS_ANSWERED.has(c.req.path)) return next();
    if (rows.isAway) throw databaseUnavailable();
    if (c.req.method !== "GET") return next();
    const unreachable = Promise.withResolvers<never>();
    const check = () => rows.isAway && unreachable.reject(databaseUnavailable());
    const timer = setInterval(check, CHECK_EVERY_MS);
    await Promise.race([next(), unreachable.promise]).finally(() => clearInterval(timer));
  };
}

/** Checks that the database and the storage can be reached. @throws FdsError `unavailable` */
export async function requireDatabaseAndStorage(
  rows: Pick<Repository, "isThere">,
  storage: Pick<Storage, "check">,
): Promise<void> {
  if (!(await rows.isThere())) throw databaseUnavailable();
  await storage.check().catch((cause: unknown) => {
    const why = cause instanceof FdsError ? `: ${cause.message}` : "";
    throw new FdsError("unavailable", `The storage is away${why}`, { cause });
  });
}

function databaseUnavailable(): FdsError {
  return new FdsError("unavailable", "The database does not answer, the server waits for it");
}
