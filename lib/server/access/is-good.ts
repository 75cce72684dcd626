import type { Caller } from "./caller.ts";
import type { AccessRows } from "./rows.ts";

/** Whether a caller's session is there, and the token was not revoked. That time ends both is no matter here. */
export async function isGood(
  { tokenHash, sessionHash }: Caller,
  rows: Pick<AccessRows, "getSession" | "tokenByHash">,
): Promise<boolean> {
  if (sessionHash !== null && !(await rows.getSession(sessionHash))) return false;
  return tokenHash === null || (await rows.tokenByHash(tokenHash))?.revokedAt === null;
}
