import { steadyNow } from "../../util/steady-clock.ts";
import { hasExpired } from "./expiry.ts";
import type { AccessRows } from "./rows.ts";
import type { Sites } from "./sites.ts";
import { sitesOf } from "./tokens.ts";

/**
 * What somebody sees now who made something that goes on by itself; null: all.
 * @param createdWith hash of their token; null: an admin's, which does not end
 * @returns none: the token is good no more
 */
export async function rightOfMaker(
  createdWith: string | null,
  access: Pick<AccessRows, "tokenByHash">,
): Promise<Sites | null | "none"> {
  if (createdWith === null) return null;
  const token = await access.tokenByHash(createdWith);
  if (!token || token.revokedAt !== null || hasExpired(token, steadyNow())) return "none";
  return sitesOf(token);
}
