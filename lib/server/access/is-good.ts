import type { Caller } from "./caller.ts";
import type { AccessRows } from "./rows.ts";

/**
 * Whether a caller's session exists and its token is not revoked. Whether they have expired is not checked
 * here.
 */
export async function isGood(
  { tokenHash, sessionHash }: Caller,
  rows: Pick<AccessRows, "getSession" | "tokenByHash">,
): Promise<boolean> {
  if (sessionHash !== null && !(await rows.getSession(sessionHash))) return false;
  return tokenHash === null || (await rows.tokenByHash(tokenHash))?.revokedAt === null;
}
