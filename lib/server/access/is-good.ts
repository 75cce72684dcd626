import type { Caller } from "./caller.ts";
import type { AccessRows } from "./rows.ts";

/**
 * Reports whether a caller still has access: the caller's session, if any, has not been deleted, and the
 * token is not revoked. Expiry is not checked here.
 */
export async function isGood(
  { tokenHash, sessionHash }: Caller,
  rows: Pick<AccessRows, "getSession" | "tokenByHash">,
): Promise<boolean> {
  if (sessionHash !== null && !(await rows.getSession(sessionHash))) return false;
  return tokenHash === null || (await rows.tokenByHash(tokenHash))?.revokedAt === null;
}
