import { steadyNow } from "../../util/steady-clock.ts";
import { hasExpired } from "./expiry.ts";
import type { AccessRows } from "./rows.ts";
import type { Sites } from "./sites.ts";
import { sitesOf } from "./tokens.ts";

/**
 * The clients that the maker of something that goes on by itself may see now; null: all.
 * @param createdWith hash of the maker's token; null: not a token that an admin made, so it does not end
 * @returns "none" where the token is no longer valid
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
