import type { MiddlewareHandler } from "hono";
import { endpoints } from "../../api/endpoints.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { Repository } from "../database/repository.ts";
import type { Storage } from "../storage/storage.ts";
import type { RestEnv } from "./rest-env.ts";

/** Paths that are answered without the database, or that tell of it. */
const ALWAYS: ReadonlySet<string> = new Set([
  endpoints.health.path,
  endpoints.live.path,
  endpoints.openapi.path,
]);

/**
 * Refuses calls while the database is away: they would wait for it, and hold their callers.
 * @throws FdsError `unavailable`, from the middleware
 */
export function refuseWhileAway(rows: { readonly isAway: boolean }): MiddlewareHandler<RestEnv> {
  return async (c, next) => {
    if (rows.isAway && !ALWAYS.has(c.req.path)) throw databaseIsAway();
    await next();
  };
}

/** @throws FdsError `unavailable` */
export async function requireDatabaseAndStorage(
  rows: Pick<Repository, "isThere">,
  storage: Pick<Storage, "freeSpace">,
): Promise<void> {
  if (!(await rows.isThere())) throw databaseIsAway();
  await storage.freeSpace().catch((cause: unknown) => {
    throw new FdsError("unavailable", "The storage is away", { cause });
  });
}

function databaseIsAway(): FdsError {
  return new FdsError("unavailable", "The database does not answer, the server waits for it");
}
