import { steadyNow } from "../../util/steady-clock.ts";
import { hasExpired } from "./expiry.ts";
import type { AccessRows } from "./rows.ts";
import type { Sites } from "./sites.ts";
import { sitesOf } from "./tokens.ts";

/**
 * Returns the clients that the maker of a job or schedule may see now; null: all clients.
 * @param createdWith hash of the maker's token; null: the API_TOKEN of the settings, or the server needs no
 * token
 * @returns "none" if the token is no longer valid
 */
export async function sitesOfMaker(
  createdWith: string | null,
  access: Pick<AccessRows, "tokenByHash">,
): Promise<Sites | null | "none"> {
  if (createdWith === null) return null;
  const token = await access.tokenByHash(createdWith);
  if (!token || token.revokedAt !== null || hasExpired(token, steadyNow())) return "none";
  return sitesOf(token);
}
